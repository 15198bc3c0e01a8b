// A marketing system in small: takes triggers, sends what is still due, and reports what it did. Node 22.15 or newer.
//
//   cd examples/node && npm ci
//   KAFKA=127.0.0.1:9092 TRIGGERS=http://127.0.0.1:8004 TOKEN=tt_... node marketing.mjs inbox.sqlite
//
// The token needs the role `pii:read`. What is remembered stands in the file; a second run goes on where the first ended.

import { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import kafkajs from 'kafkajs'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
const FIRED = 'tern.trigger.fired.v1'
const FAMILIES = ['cart', 'browse', 'recall', 'lifecycle', 'product', 'service', 'loyalty']
const FINAL = new Set([200, 202, 404, 422]) // whatever else comes back may be better the next time

// Tern compresses with zstd; the client brings no codec for it, Node does.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => zstdCompressSync(encoder.buffer),
  decompress: async (buffer) => zstdDecompressSync(buffer),
})

// What must survive a restart: the ids that were seen, and what is to be done and to be reported.
const db = new DatabaseSync(process.argv[2])
db.exec(`
  CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS job (trigger_id TEXT PRIMARY KEY, data TEXT, status TEXT, channel TEXT DEFAULT '');
`)
const see = db.prepare('INSERT OR IGNORE INTO seen VALUES (?)')
const queue = db.prepare("INSERT INTO job (trigger_id, data, status) VALUES (?, ?, 'queued')")
const drop = db.prepare("DELETE FROM job WHERE trigger_id = ? AND status = 'queued'")
const queued = db.prepare("SELECT trigger_id, data FROM job WHERE status = 'queued'")
const note = db.prepare('UPDATE job SET status = ?, channel = ? WHERE trigger_id = ?')
const unreported = db.prepare("SELECT trigger_id, status, channel FROM job WHERE status <> 'queued'")
const forget = db.prepare('DELETE FROM job WHERE trigger_id = ?')

// One transaction a record, so that a crash forgets nothing and does nothing twice.
function take(event) {
  db.exec('BEGIN')
  const isNew = see.run(event.id).changes > 0 // at least once: an id that was seen is nothing new
  const id = event.data.trigger_id
  if (isNew && event.type === FIRED) {
    queue.run(id, JSON.stringify(event.data))
  } else if (isNew) {
    // retracted or cancelled: whatever is still queued is not sent
    console.log(drop.run(id).changes ? 'dropped' : 'too late to drop', id, event.data.reason)
  }
  db.exec('COMMIT')
}

// Sends what has not expired, by the best channel that has an address.
function send() {
  for (const job of queued.all()) {
    const data = JSON.parse(job.data)
    const expired = new Date(data.timing.expires_at) <= new Date()
    const [status, channel] = expired ? ['skipped', ''] : deliver(data)
    note.run(status, channel, job.trigger_id)
    console.log(status, job.trigger_id)
  }
}

// Here a real system talks to its providers. Give them the trigger's id as idempotency key.
function deliver(data) {
  if (data.act !== 'contact') {
    console.log('to do:', data.act, data.rule, 'by', data.due_by ?? '-')
    return ['done', '']
  }
  const best = data.channels.find((channel) => channel.contact) // ranked; only channels with consent stand here
  if (!best) return ['skipped', '']
  console.log('sending', data.rule, 'with link ?tern=' + data.attribution)
  return ['sent', best.channel]
}

// Says what became of each trigger: `skipped` and `failed` leave room for another contact.
async function report() {
  const headers = { authorization: 'Bearer ' + process.env.TOKEN, 'content-type': 'application/json' }
  for (const { trigger_id, status, channel } of unreported.all()) {
    const body = JSON.stringify({ trigger_id, status, channel })
    try {
      const answer = await fetch(process.env.TRIGGERS + '/v1/outcomes', { method: 'POST', headers, body })
      if (FINAL.has(answer.status)) forget.run(trigger_id)
    } catch {
      return // it is away: the next round tries again
    }
  }
}

const kafka = new Kafka({ brokers: [process.env.KAFKA], clientId: 'marketing', logLevel: logLevel.ERROR })
const consumer = kafka.consumer({ groupId: process.env.GROUP ?? 'marketing' })
await consumer.connect()
await consumer.subscribe({ topics: FAMILIES.map((family) => `tern.triggers.${family}.v1`), fromBeginning: true })
await consumer.run({
  // Of one customer all come in order. Only what the inbox remembers is committed, after the batch.
  eachBatch: async ({ batch, heartbeat }) => {
    for (const message of batch.messages) take(JSON.parse(message.value.toString()))
    await heartbeat()
    send()
    await report()
  },
})

setInterval(report, 5000)
