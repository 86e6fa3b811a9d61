import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { WebSocket } from 'ws'
import { SIGNALING_PATH } from '../../relay/wire/signaling.ts'
import { InvitationIssuer } from '../../relay/access/invitation.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { loadInvitationKey } from '../../sfu/invitation-key.ts'
import { invitationLink } from '../../sfu/node.ts'
import { findFreePorts } from '../../bench/free-ports.ts'
import { mutatedMessage, randomSource } from '../harness/mutation.ts'
import { RawClient } from '../harness/raw-client.ts'

const MESSAGES = 100_000
const SEED = 20_261_122
const LANES = 4
/** Memory that may come and go with garbage collection, in bytes. */
const ALLOWANCE = 24 * 1024 * 1024

const root = join(import.meta.dirname, '../..')
const stateDir = t.testdir()
const port = await findFreePorts(1)
const origin = `http://127.0.0.1:${port}`
const node = spawn(
  process.execPath,
  // A small heap makes the collector run, so that what is left is what is held.
  ['--max-old-space-size=160', '--max-semi-space-size=8', join(root, 'scripts/kenkyo.ts'), 'node', '--listen-port', String(port), '--state-dir', stateDir, '--workers', '1',
    '--rtc-base-port', String(await findFreePorts(1)), '--log-level', 'error'],
  { stdio: ['ignore', 'ignore', 'pipe'] },
)
const errors: string[] = []
node.stderr.on('data', (chunk: Buffer) => {
  if (errors.length < 20) errors.push(chunk.toString())
})
t.teardown(() => node.kill('SIGKILL'))

async function healthy(): Promise<boolean> {
  const response = await fetch(`${origin}/healthz`).catch(() => undefined)
  return response?.status === 200
}
while (!(await healthy())) {
  if (node.exitCode !== null) throw new Error(`node exited: ${errors.join('')}`)
}

const issuer = await InvitationIssuer.open(await loadInvitationKey(stateDir))
const invite = async (role: 'viewer' | 'microscope', consultation: string) =>
  invitationLink(origin, await issuer.issue({
    role, consultationId: ConsultationId.parse(consultation), memberId: MemberId.parse('fuzz'), lifetimeSeconds: 3600,
  }))

/** Opens a socket, joins or not, sends mutated messages until the node closes it or the ration is used. */
async function oneSocket(next: () => number, ration: number, tokens: readonly string[]): Promise<number> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}${SIGNALING_PATH}`)
  socket.on('error', () => undefined)
  await new Promise(resolve => socket.once('open', resolve))
  const closed = new Promise(resolve => socket.once('close', resolve))
  let replies = 0
  let wake: () => void = () => undefined
  socket.on('message', () => {
    replies++
    wake()
  })
  socket.once('close', () => wake())
  const joins = next() < 0.8
  if (joins) socket.send(JSON.stringify({ type: 'join', requestId: 1, protocol: 1, invitation: tokens[Math.floor(next() * tokens.length)] }))
  const isOpen = (): boolean => socket.readyState === WebSocket.OPEN
  let sent = 0
  while (sent < ration && isOpen()) {
    socket.send(mutatedMessage(next, sent + 2))
    sent++
    // Stay within what the node answers, so that every message is really looked at.
    if (sent % 8 === 0) {
      const target = sent + (joins ? 1 : 0)
      while (replies < target && isOpen()) await new Promise<void>(resolve => (wake = resolve))
    }
  }
  socket.close()
  await closed
  return sent
}

const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'latin1'))?.[1] ?? 0) * 1024

t.test(`stays healthy and flat under ${MESSAGES} mutated messages`, { timeout: 600_000 }, async t => {
  await using bystander = await RawClient.join(await invite('viewer', 'bystander'))
  const token = async (role: 'viewer' | 'microscope') =>
    new URLSearchParams(new URL(await invite(role, 'fuzzed')).hash.slice(1)).get('invitation') ?? ''
  const tokens = [await token('viewer'), await token('viewer'), await token('microscope')]
  const next = randomSource(SEED)
  let sent = 0
  let warm = 0
  const lane = async (): Promise<void> => {
    while (sent < MESSAGES) {
      sent += await oneSocket(next, 60, tokens)
      if (warm === 0 && sent > MESSAGES / 4) warm = rss()
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  t.ok(sent >= MESSAGES, `${sent} messages`)
  t.ok(await healthy(), 'healthy')
  t.equal(node.exitCode, null, 'still running')
  const end = rss()
  t.comment(`memory: ${Math.round(warm / 1e6)} MB after a quarter, ${Math.round(end / 1e6)} MB at the end`)
  t.ok(end < warm + ALLOWANCE, 'memory is flat')
  t.ok(await bystander.ok('createTransport'), 'a bystander was not disturbed')
  t.same(bystander.received.filter(({ type }) => type === 'closing'), [])
  t.same(errors, [], 'the node logged no bug')
})
