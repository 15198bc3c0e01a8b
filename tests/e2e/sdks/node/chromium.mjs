// Starts one Chromium for all pages, says where it is, and ends it at the end of its input. Which one: that of the
// package @sparticuz/chromium where it runs (Linux on x64: with the libraries it needs, without root, with nothing
// downloaded), else the first that is installed. Exits 3 when there is none.

import { existsSync, mkdtempSync, realpathSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const NONE_TO_BE_HAD = 3
const OFFLINE = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
const INSTALLED = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

async function packed() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  const home = dirname(realpathSync(join(dirname(fileURLToPath(import.meta.url)), 'node_modules')))
  const kept = join(home, 'chromium')
  if (!existsSync(kept)) renameSync(await unpacked(mkdtempSync(join(home, 'unpacking-'))), kept)
  const env = { ...process.env, LD_LIBRARY_PATH: join(kept, 'al2023', 'lib'), FONTCONFIG_PATH: join(kept, 'fonts') }
  return { executablePath: join(kept, 'chromium'), env }
}

async function unpacked(folder) {
  const before = process.env.TMPDIR
  process.env.TMPDIR = folder // the package unpacks itself to the folder for what is temporary
  const { default: carried, inflate } = await import('@sparticuz/chromium')
  await carried.executablePath()
  await inflate(join(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))), '../bin/al2023.tar.br'))
  if (before === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = before
  return folder
}

function installed() {
  const folders = (process.env.PATH ?? '').split(':')
  const found = INSTALLED.flatMap(name => folders.map(folder => join(folder, name))).find(existsSync)
  return found && { executablePath: found }
}

const which = (await packed()) ?? installed()
if (!which) process.exit(NONE_TO_BE_HAD)
const server = await chromium.launchServer({ ...which, args: ['--no-sandbox', '--disable-gpu', ...OFFLINE] })
console.log(server.wsEndpoint())
process.stdin.resume().on('end', () => server.close())
