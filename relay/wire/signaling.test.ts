import fc from 'fast-check'
import { t } from 'tap'
import { RelayFault } from './fault.ts'
import { SignalingClient } from './signaling-client.ts'
import { decodeClientRequest, decodeNodeMessage, decodeReplyData, salvageRequestId } from './signaling.ts'
import type { SignalingSocket } from './signaling-client.ts'
import type { Notification } from './signaling.ts'

const SEED = 20_261_122

t.test('decodes any text to a message or to bad_message, never to anything else', async () => {
  const json = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record({ type: fc.constantFrom('join', 'watch', 'publish', 'reply', 'heartbeat', 'closing'), requestId: fc.anything(), ok: fc.anything() }).map(value => JSON.stringify(value)),
  )
  for (const decode of [decodeClientRequest, decodeNodeMessage]) {
    fc.assert(
      fc.property(json, text => {
        try {
          decode(text)
        } catch (error) {
          return error instanceof RelayFault && error.code === 'bad_message'
        }
        return true
      }),
      { seed: SEED, numRuns: 5000 },
    )
  }
})

t.test('finds the request id of a refused frame, if there is one', async t => {
  t.equal(salvageRequestId('{"type":"nonsense","requestId":7}'), 7)
  for (const frame of ['', '{}', '[]', '{"requestId":-1}', '{"requestId":"7"}', '{"requestId":4294967296}']) t.equal(salvageRequestId(frame), undefined, frame)
})

t.test('refuses reply data of another shape', async t => {
  t.same(decodeReplyData('leave', {}), {})
  t.throws(() => decodeReplyData('leave', { extra: 1 }), { code: 'bad_message' })
  t.throws(() => decodeReplyData('publish', {}), { code: 'bad_message' })
})

/** A socket whose other end is the test. */
class FakeSocket implements SignalingSocket {
  readonly sent: { type: string; requestId: number }[] = []
  isClosed = false
  readonly #listeners = new Map<string, ((event: never) => void)[]>()

  send(frame: string): void {
    this.sent.push(JSON.parse(frame) as { type: string; requestId: number })
  }

  close(): void {
    this.isClosed = true
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener])
  }

  emit(type: 'message' | 'close' | 'error', event: object = {}): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never)
  }

  receive(message: object): void {
    this.emit('message', { data: JSON.stringify(message) })
  }
}

function connected(requestTimeoutSeconds = 10) {
  const socket = new FakeSocket()
  const notifications: Notification[] = []
  const client = new SignalingClient(socket, { onNotification: notification => notifications.push(notification), requestTimeoutSeconds })
  return { socket, client, notifications }
}

t.test('pairs replies with their requests, in any order', async t => {
  const { socket, client } = connected()
  const [first, second] = [client.request('leave', {}), client.request('leave', {})]
  const [a = { requestId: 0 }, b = { requestId: 0 }] = socket.sent
  t.ok(a.requestId < b.requestId, 'ids grow')
  socket.receive({ type: 'reply', requestId: b.requestId, ok: false, fault: { code: 'wrong_state', message: 'no' } })
  socket.receive({ type: 'reply', requestId: a.requestId, ok: true, data: {} })
  t.same(await first, {})
  await t.rejects(second, { code: 'wrong_state' })
  client.close()
})

t.test('ends with what the node says, and leaves nobody waiting', async t => {
  const { socket, client } = connected()
  const waiting = client.request('leave', {})
  socket.receive({ type: 'closing', fault: { code: 'invitation_expired', message: 'over' } })
  await t.rejects(waiting, { code: 'invitation_expired' })
  t.match(await client.closed, { code: 'invitation_expired' })
  socket.emit('close')
  t.match(await client.closed, { code: 'invitation_expired' }, 'the first reason wins')
  await t.rejects(client.request('leave', {}), { code: 'unavailable' })
  t.ok(socket.isClosed)
})

t.test('hands on notifications, and hangs up on nonsense', async t => {
  const { socket, client, notifications } = connected()
  socket.receive({ type: 'heartbeat' })
  t.same(notifications, [{ type: 'heartbeat' }])
  socket.receive({ type: 'surprise' })
  t.match(await client.closed, { code: 'bad_message' })
})

t.test('gives up on a reply that does not come', async t => {
  const { socket, client } = connected(0.05)
  await t.rejects(client.request('leave', {}), { code: 'timeout' })
  socket.receive({ type: 'reply', requestId: socket.sent[0]?.requestId, ok: true, data: {} })
  t.pass('and a late one disturbs nothing')
  client.close()
})
