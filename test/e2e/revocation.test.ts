/** How soon a certificate that is revoked is of no more use: connections, sessions, and whoever tries again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { t } from 'tap'
import { askNode } from '../../relay/runtime/node-request.ts'
import { AgentsWorld, until } from '../harness/agents-world.ts'
import { Microscope } from '../harness/microscope.ts'
import type { TlsMaterial } from '../../relay/runtime/tls-files.ts'
import type { Test } from 'tap'

t.setTimeout(180_000)

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')
const PATTERN = ['--source', 'pattern', '--width', '640', '--height', '360', '--columns', '1', '--rows', '1', '--overview-width', '320', '--frames-per-second', '5']

async function publish(t: Test) {
  const world = await AgentsWorld.open({ slides: false })
  t.teardown(() => world[Symbol.asyncDispose]())
  const microscope = Microscope.start(await world.invite('microscope', 'scope'), [...PATTERN, ...(await world.flags('scope'))])
  t.teardown(() => microscope[Symbol.asyncDispose]())
  await until(() => `a publication; the agent said: ${microscope.log}`, () => world.node.node.health.publications === 1)
  const scope = await world.material('scope')
  /** Whether the door lets anybody in with that certificate. */
  const isLetIn = (tls: TlsMaterial): Promise<boolean> =>
    askNode({ method: 'GET', origin: world.membersOrigin, path: '/access', tls, agent: false, mostBytes: 4096, withinMillis: 10_000 }).then(() => true, () => false)
  return { world, scope, isLetIn }
}

/** Tells when the publication had ended and the door refused, from when it was told to begin. */
async function measure(t: Test, { world, scope, isLetIn }: Awaited<ReturnType<typeof publish>>, revoke: () => Promise<unknown>): Promise<void> {
  t.ok(await isLetIn(scope))
  const began = performance.now()
  const revoking = revoke().then(() => performance.now() - began)
  const [ended, refused, took] = await Promise.all([
    until('the publication to end', () => world.node.node.health.publications === 0).then(() => performance.now() - began),
    until('the door to refuse', async () => !(await isLetIn(scope))).then(() => performance.now() - began),
    revoking,
  ])
  t.comment(`revoking took ${Math.round(took)} ms; from its beginning the publication ended after ${Math.round(ended)} ms, the door refused after ${Math.round(refused)} ms`)
  t.ok(await isLetIn(await world.material('scanner')), 'another\'s certificate is as good as before')
}

t.test('kenkyo facility revoke ends what a machine does, and lets it in no more', async t => {
  const place = await publish(t)
  const { core, folder } = place.world.platform
  await measure(t, place, async () => {
    const child = spawn(process.execPath, [KENKYO, 'facility', 'revoke', 'scope', '--state-dir', join(folder, 'core'), '--operator-port', String(core.operatorPort)], { stdio: 'ignore' })
    t.same(await once(child, 'exit'), [0, null])
  })
})

t.test('a certificate that only the revocation list names is refused at the doors of every node, too', async t => {
  const place = await publish(t)
  await measure(t, place, () => place.world.platform.core.ca.revoke(({ nodeId }) => nodeId === 'scope', Date.now()))
})
