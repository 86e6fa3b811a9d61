import { createServer } from 'node:http'
import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { SlideHttp } from './slide-http.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Test } from 'tap'

const signal = new AbortController().signal
const put = { method: 'PUT', path: '/', silence: millis(10_000) } as const

async function serve(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer)
  let connections = 0
  server.on('connection', () => connections++)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const http = new SlideHttp({ origin: `http://127.0.0.1:${port}`, token: 'token' })
  t.teardown(() => {
    http[Symbol.dispose]()
    server.close()
  })
  return { http, connections: () => connections }
}

t.test('a body arrives whole, and what was taken of it is told in pieces', async t => {
  const received: Buffer[] = []
  const { http } = await serve(t, (request, response) => {
    request.on('data', (part: Buffer) => received.push(part))
    request.on('end', () => response.end('done'))
  })
  for (const length of [1, 32 * 1024, 100_001]) {
    received.length = 0
    const body = Buffer.alloc(length, 'kenkyo')
    const taken: number[] = []
    const { body: answer } = await http.send({ ...put, body, onTaken: piece => taken.push(piece) }, signal)
    t.equal(answer.toString(), 'done')
    t.ok(Buffer.concat(received).equals(body))
    t.equal(taken.reduce((sum, piece) => sum + piece, 0), length)
    t.equal(taken.length, Math.ceil(length / (32 * 1024)))
  }
})

t.test('an answer before the end of the body leaves the connection of use', async t => {
  const { http, connections } = await serve(t, (request, response) => {
    response.end('enough')
    request.resume()
  })
  for (let turn = 0; turn < 3; turn++) {
    const whole = Promise.withResolvers<undefined>()
    let taken = 0
    const body = Buffer.alloc(4_000_000)
    const { body: answer } = await http.send({ ...put, body, onTaken: piece => (taken += piece) === body.length && whole.resolve(undefined) }, signal)
    t.equal(answer.toString(), 'enough')
    await whole.promise
    await new Promise(resolve => setImmediate(resolve))
  }
  t.equal(connections(), 1)
})

t.test('an abort ends a body that nobody reads', async t => {
  const stop = new AbortController()
  const { http } = await serve(t, () => stop.abort(new Error('enough')))
  await t.rejects(http.send({ ...put, body: Buffer.alloc(20_000_000), onTaken: () => undefined }, stop.signal), { message: 'enough' })
})
