// Jitsu's SDK says everything once. Its option `fetch` makes it try again, as docs/sdks.md shows.

export async function retrying(url, options) {
  for (let wait = 250; ; wait = Math.min(2 * wait, 30_000)) {
    const answer = await fetch(url, options).catch(() => undefined)
    if (answer && answer.status !== 429 && answer.status < 500) return answer
    await new Promise(resolve => setTimeout(resolve, 1000 * (answer?.headers.get('Retry-After') ?? 0) || wait))
  }
}
