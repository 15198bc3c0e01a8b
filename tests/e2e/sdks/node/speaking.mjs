// What every script here has in common: it is told on its standard input whom to speak to, then what to say, line by line.
// In: {"url", "key", ...}, then lists of calls (said.py). Out: "ready", then what the SDK calls its visitor, once a line's
// calls are with the SDK. What an SDK complains of goes to standard error. At the end of the input it flushes and ends.

import { createInterface } from 'node:readline'

export async function speak(open) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  const sdk = await open(JSON.parse((await lines.next()).value))
  console.log(JSON.stringify({}))
  for await (const line of lines) {
    const anonymousId = await sdk.say(JSON.parse(line))
    console.log(JSON.stringify({ anonymousId }))
  }
  await sdk.close()
}

// For the SDKs that take one object a call: the words of said.py are theirs.
export function asObject(call) {
  const { type, timestamp, ...rest } = call
  return { ...rest, timestamp: new Date(timestamp) }
}
