import { once } from 'node:events'
import { createServer } from 'node:net'
import { t } from 'tap'
import { WebSocketServer } from 'ws'
import { openSignalingSocket } from './signaling-socket.ts'
import type { AddressInfo } from 'node:net'

/** Takes connections and says nothing. */
async function mute() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

t.test('a socket is open when it is handed over, and an error of it later ends no process', async t => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const socket = await openSignalingSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, new AbortController().signal)
  t.equal(socket.readyState, socket.OPEN)
  socket.emit('error', new Error('the line broke'))
  const closed = once(socket, 'close')
  socket.terminate()
  await closed
})

t.test('a node that is not there is unavailable', async t => {
  const { server, url } = await mute()
  server.close()
  await t.rejects(openSignalingSocket(url, new AbortController().signal), { code: 'unavailable' })
})

t.test('whoever waits for a node that says nothing can stop waiting, before and after it was begun', async t => {
  const { server, url } = await mute()
  t.teardown(() => server.close())
  const reason = new Error('stop')
  await t.rejects(openSignalingSocket(url, AbortSignal.abort(reason)), reason)
  const stop = new AbortController()
  server.once('connection', () => stop.abort(reason))
  await t.rejects(openSignalingSocket(url, stop.signal), reason)
})
