/** `kenkyo capture` and `kenkyo scan` with certificates of a platform: let in, kept in, and out when what it rests on ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { t } from 'tap'
import { askCore } from '../../relay/access/core/core-request.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { AgentsWorld, until } from '../harness/agents-world.ts'
import { Microscope } from '../harness/microscope.ts'
import type { Test } from 'tap'

t.setTimeout(180_000)

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')
const PATTERN = ['--source', 'pattern', '--width', '640', '--height', '360', '--columns', '1', '--rows', '1', '--overview-width', '320', '--frames-per-second', '5']

/** A microscope in a process of its own that publishes on a platform. */
async function publish(t: Test, args: readonly string[] = []) {
  const world = await AgentsWorld.open({ slides: false })
  t.teardown(() => world[Symbol.asyncDispose]())
  const microscope = Microscope.start(await world.invite('microscope', 'scope'), [...PATTERN, ...(await world.flags('scope')), ...args])
  t.teardown(() => microscope[Symbol.asyncDispose]())
  const isPublishing = (): boolean => world.node.node.health.publications === 1
  await until(() => `a publication; the agent said: ${microscope.log}`, isPublishing)
  return { world, microscope, isPublishing }
}

const withdraw = ({ platform, desk, consentId }: AgentsWorld): Promise<unknown> => askCore(platform.url, desk, { method: 'POST', path: `/core/consents/${consentId}/withdrawal` })

t.test('a microscope publishes by a link with a grant, and ends by code when the consent is withdrawn', async t => {
  const { world, microscope, isPublishing } = await publish(t)
  await until('live packets', async () => (await world.node.metric('kenkyo_link_class_packets_total', { class: 'live', direction: 'in' })) > 20)
  t.match(microscope.log, /"carrier":"link"/)
  const ended = once(microscope.process, 'exit')
  await withdraw(world)
  t.same(await ended, [3, null], microscope.log)
  t.match(microscope.log, /kenkyo: consent_withdrawn/)
  t.notOk(isPublishing())
  t.equal(await world.node.metric('kenkyo_links'), 0, 'the link went with the session')
})

t.test('a node that was restarted, and forgot its grants, is asked again', async t => {
  const { world, microscope, isPublishing } = await publish(t, ['--carrier', 'webrtc'])
  await world.restartNode()
  await until(() => `another publication; the agent said: ${microscope.log}`, isPublishing)
  t.equal(microscope.process.exitCode, null)
})

t.test('without its certificate the invitation lets a microscope in nowhere', async t => {
  const world = await AgentsWorld.open({ slides: false })
  t.teardown(() => world[Symbol.asyncDispose]())
  const microscope = Microscope.start(await world.invite('microscope', 'scope'), [...PATTERN, '--node', world.node.node.origin])
  t.teardown(() => microscope[Symbol.asyncDispose]())
  t.same(await once(microscope.process, 'exit'), [3, null], microscope.log)
  t.match(microscope.log, /kenkyo: token_refused/)
})

for (const carrier of ['link', 'https']) {
  t.test(`a scanner sends a slide by ${carrier} with a grant, and is refused by code once the consent is withdrawn`, async t => {
    const world = await AgentsWorld.open()
    t.teardown(() => world[Symbol.asyncDispose]())
    const folder = t.testdir({ state: {}, other: {} })
    const slide = join(folder, 'slide.svs')
    await writeSyntheticSlide(slide, SMALL_SLIDE)
    const flags = await world.flags('scanner')
    const scan = async (state: string) => {
      const child = spawn(process.execPath, [KENKYO, 'scan', slide, '--json', '--carrier', carrier, '--state-dir', join(folder, state), '--still-seconds', '0.1', ...flags], {
        stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, KENKYO_INVITATION: await world.invite('scanner', 'scanner') },
      })
      t.teardown(() => child.kill('SIGKILL'))
      const [stdout, stderr, exit] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
      return { stdout, stderr, code: exit[0] as number }
    }
    const sent = await scan('state')
    t.equal(sent.code, 0, sent.stderr)
    t.match(sent.stdout, /"event":"done"/)
    t.ok((await world.node.metric('kenkyo_slide_arrived_bytes_total')) > 0)
    if (carrier === 'link') t.notMatch(sent.stderr, /sending by HTTPS/, 'its chunks came by the link')
    await withdraw(world)
    const refused = await scan('other')
    t.equal(refused.code, 3)
    t.match(refused.stderr, /consent_withdrawn/)
  })
}
