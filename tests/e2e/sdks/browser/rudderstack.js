import { RudderAnalytics } from '/packages/@rudderstack/analytics-js/dist/npm/modern/bundled/esm/index.mjs'

export function visitor(options) {
  const analytics = new RudderAnalytics()

  const says = {
    page: call => analytics.page(undefined, call.name, call.properties),
    track: call => analytics.track(call.event, call.properties),
    identify: call => analytics.identify(call.userId, call.traits),
    group: call => analytics.group(call.groupId, call.traits),
    alias: call => analytics.alias(call.userId, call.previousId),
  }

  return {
    start({ url, key }) {
      analytics.load(key, url, { configUrl: url, logLevel: 'ERROR', ...options })
      return new Promise(resolve => analytics.ready(resolve))
    },
    say(calls) {
      for (const call of calls) says[call.type](call)
      return analytics.getAnonymousId()
    },
  }
}
