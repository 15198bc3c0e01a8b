import { jitsuAnalytics } from '@jitsu/js'
import { retrying } from './retrying.mjs'
import { speak } from './speaking.mjs'

await speak(({ url, key }) => {
  const analytics = jitsuAnalytics({ host: url, writeKey: key, s2s: true, fetch: retrying })
  const say = {
    page: call => analytics.page({ name: call.name, ...call.properties }, ids(call)),
    track: call => analytics.track(call.event, call.properties, ids(call)),
    identify: call => analytics.identify(call.userId, call.traits, ids(call)),
    group: call => analytics.group(call.groupId, call.traits, ids(call)),
  }
  return {
    async say(calls) {
      for (const call of calls) await say[call.type](call)
    },
    close() {},
  }
})

function ids({ userId, anonymousId }) {
  return { userId, anonymousId }
}
