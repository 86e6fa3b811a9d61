import { once } from 'node:events'
import { createServer, request as ask } from 'node:http'
import { createServer as createSecure, request as askSecurely } from 'node:https'
import { createServer as createTls } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { t } from 'tap'
import { LooseCa } from '../../test/harness/test-ca.ts'
import { resetConnection, watchConnections } from './connection-reset.ts'
import type { ClientRequest, IncomingMessage, RequestListener, Server } from 'node:http'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'

const BODY_BYTES = 32 * 1024 * 1024
const root = await LooseCa.create('Loose Root')
const { cert, key } = await root.member()

/** Whatever the reason. */
function closing(of: Readable): Promise<void> {
  const closed = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => closed.reject(new Error('it does not close')), 5000)
  of.once('close', () => {
    clearTimeout(timer)
    closed.resolve(undefined)
  })
  return closed.promise
}

/** The kernel takes no more. */
async function filled(socket: Socket): Promise<void> {
  const deadline = performance.now() + 5000
  for (let [before, times] = [-1, 0]; times < 5;) {
    if (performance.now() > deadline) throw new Error('the client reads what it should not')
    await sleep(20)
    times = socket.writableLength === before ? times + 1 : 0
    before = socket.writableLength
  }
}

/** What arrives after the end of a connection whose client was not reading, by how it is ended. */
async function arrivingAfter(t: Test, end: (socket: Socket) => void, open: (listener: RequestListener) => { server: Server; listening: NetServer; isSecure: boolean }): Promise<number> {
  const answering = Promise.withResolvers<Socket>()
  const { server, listening, isSecure } = open(({ socket }, response) => {
    response.writeHead(200, { 'content-length': BODY_BYTES })
    response.write(Buffer.alloc(BODY_BYTES))
    answering.resolve(socket)
  })
  listening.listen(0, '127.0.0.1')
  t.teardown(() => {
    server.closeAllConnections()
    listening.close()
  })
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  const asking: ClientRequest = (isSecure ? askSecurely : ask)({ host: '127.0.0.1', port, agent: false, ...(isSecure ? { rejectUnauthorized: false } : {}) })
  asking.on('error', () => undefined)
  asking.end()
  const [response] = (await once(asking, 'response', { signal: AbortSignal.timeout(5000) })) as [IncomingMessage]
  response.on('error', () => undefined)
  const socket = await answering.promise
  await filled(socket)
  const ended = closing(socket)
  end(socket)
  await ended
  let bytes = 0
  response.on('data', (data: Buffer) => (bytes += data.length))
  if (!response.closed) await closing(response)
  return bytes
}

const plain = (listener: RequestListener) => {
  const server = createServer(listener)
  watchConnections(server)
  return { server, listening: server, isSecure: false }
}
const secure = (listener: RequestListener) => {
  const server = createSecure({ cert, key }, listener)
  watchConnections(server)
  return { server, listening: server, isSecure: true }
}
/** As the door of nodes and agents hands connections on. */
const behindDoor = (listener: RequestListener) => {
  const server = createServer(listener)
  const listening = createTls({ cert, key })
  watchConnections(listening)
  watchConnections(server)
  listening.on('secureConnection', socket => server.emit('connection', socket))
  return { server, listening, isSecure: true }
}

for (const [name, open] of Object.entries({ plain, secure, behindDoor })) {
  t.test(`what the kernel was handed does not arrive after a reset (${name})`, async t => {
    const closed = await arrivingAfter(t, socket => socket.destroy(), open)
    const reset = await arrivingAfter(t, resetConnection, open)
    t.comment(`${closed} bytes after a close, ${reset} after a reset`)
    // What the client's kernel holds already, it may still read.
    t.ok(reset < closed / 2)
  })
}
