import { Analytics } from '@segment/analytics-node'
import { asObject, speak } from './speaking.mjs'

await speak(({ url, key }) => {
  const analytics = new Analytics({ writeKey: key, host: url, flushAt: 3, flushInterval: 200 })
  analytics.on('error', error => console.error('segment:', error))
  return {
    say: calls => calls.forEach(call => analytics[call.type](asObject(call))),
    close: () => analytics.closeAndFlush(),
  }
})
