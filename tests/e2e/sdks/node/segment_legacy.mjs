import Analytics from 'analytics-node'
import { asObject, speak } from './speaking.mjs'

await speak(({ url, key }) => {
  const analytics = new Analytics(key, {
    host: url,
    flushAt: 3,
    flushInterval: 200,
    retryCount: 8, // three, unless told: given up after a second and a half
    errorHandler: error => console.error('analytics-node:', error.message),
  })
  return {
    say: calls => calls.forEach(call => analytics[call.type](asObject(call))),
    close: () => analytics.flush(),
  }
})
