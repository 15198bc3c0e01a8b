// Speaks through a page in a browser: `node browser.mjs PAGE`. Serves ../browser/ and the packages from a port of its
// own, so that Tern is another origin. A page defines start(to) and say(calls). Told "leave" instead of calls, the visitor
// goes elsewhere; told "return", the page is opened anew. At the end of the input the visitor leaves for good.

import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { speak } from './speaking.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))
const FOLDERS = { packages: join(HERE, 'node_modules'), pages: join(HERE, '../browser'), node: HERE }
const TYPES = { '.html': 'text/html; charset=utf-8' }

const server = createServer((request, answer) => {
  const [, folder, ...path] = new URL(request.url, 'http://page').pathname.split('/')
  const file = createReadStream(join(FOLDERS[folder] ?? HERE, ...path))
  answer.setHeader('Content-Type', TYPES[extname(path.at(-1) ?? '')] ?? 'text/javascript; charset=utf-8')
  file.on('error', () => answer.writeHead(404).end()).pipe(answer)
})

await speak(async ({ url, key, browser }) => {
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const connected = await chromium.connect(browser)
  const page = await (await connected.newContext()).newPage()
  page.on('console', message => message.type() === 'error' && console.error('page:', message.text()))
  page.on('pageerror', error => console.error('page:', error))
  const visit = async () => {
    await page.goto(`http://127.0.0.1:${server.address().port}/pages/${process.argv[2]}.html`)
    await page.evaluate(to => globalThis.start(to), { url, key })
  }
  const moves = { leave: () => page.goto('about:blank').then(() => undefined), return: visit }
  await visit()
  return {
    say: told => moves[told]?.() ?? page.evaluate(calls => globalThis.say(calls), told),
    async close() {
      await moves.leave()
      await connected.close()
      server.close()
    },
  }
})
