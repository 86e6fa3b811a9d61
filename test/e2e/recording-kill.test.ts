import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { findFreePorts } from '../../bench/free-ports.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { NodeConfig } from '../../sfu/config.ts'
import { KenkyoNode } from '../../sfu/node.ts'
import { Microscope } from '../harness/microscope.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { RecordingSummary } from '../../relay/wire/recording.ts'
import type { Role } from '../../relay/wire/signaling.ts'

const stateDir = await mkdtemp(join(tmpdir(), 'kenkyo-kill-'))
t.teardown(() => rm(stateDir, { recursive: true, force: true }))
const config = NodeConfig.parse({ workers: 1, stateDir, logLevel: 'silent', listenPort: await findFreePorts(1), rtcBasePort: await findFreePorts(1) })
const terms = (role: Role, member: string) => ({ consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse(member), role, lifetimeSeconds: 600 })
const openNode = (): Promise<KenkyoNode> => KenkyoNode.open(config, createLogger({ level: 'silent', program: 'node' }))

t.test('a recording that was on when its node was killed can be listed and replayed afterwards', async t => {
  // The first node is of this process, for as long as it takes to make the key and two links.
  const first = await openNode()
  const [scopeLink, viewerLink] = await Promise.all([first.invite(terms('microscope', 'scope')), first.invite(terms('viewer', 'reader'))])
  await first.close()
  const flags = ['--workers', '1', '--state-dir', stateDir, '--log-level', 'silent', '--listen-port', String(config.listenPort), '--rtc-base-port', String(config.rtcBasePort)]
  const node = spawn(process.execPath, [join(import.meta.dirname, '../../scripts/kenkyo.ts'), 'node', ...flags], { stdio: 'ignore' })
  t.teardown(() => node.kill('SIGKILL'))
  const deadline = performance.now() + 20_000
  const enter = async (): Promise<RawClient> => {
    for (;;) {
      try {
        return await RawClient.join(viewerLink)
      } catch (error) {
        if (performance.now() > deadline) throw error
        await new Promise(resolve => setTimeout(resolve, 100))
      }
    }
  }
  await using viewer = await enter()
  await using scope = Microscope.start(scopeLink, ['--source', 'pattern', '--frames-per-second', '5', '--width', '1280', '--height', '720', '--columns', '1', '--rows', '1', '--middle', 'none'])
  t.ok(scope.process.pid)
  const { recordingId } = await viewer.ok('startRecording')
  // Nobody watches: the overview's keyframes flow.
  await viewer.find(({ type }) => type === 'publicationChanged')
  const isMuch = ({ type, bytes }: { readonly type: string; readonly bytes?: unknown }): boolean => type === 'recordingChanged' && Number(bytes) > 20_000
  for (let waits = 0; !viewer.received.some(isMuch); waits++) {
    if (waits === 4) throw new Error(`nothing is recorded; the agent said: ${scope.log}`)
    await viewer.find(isMuch).catch(() => undefined)
  }
  node.kill('SIGKILL')
  await once(node, 'exit')
  const again = await openNode()
  t.teardown(() => again.close())
  const token = new URLSearchParams(new URL(viewerLink).hash.slice(1)).get('invitation') ?? ''
  const response = await fetch(`${again.origin}/recordings/`, { headers: { authorization: `Bearer ${token}` } })
  const { recordings } = (await response.json()) as { recordings: RecordingSummary[] }
  t.match(recordings, [{ recordingId, state: 'cut', fault: null, by: 'reader' }])
  t.ok(recordings[0]!.durationMillis > 0 && recordings[0]!.bytes > 20_000)
  await using back = await RawClient.join(viewerLink)
  const { publicationId } = await back.ok('openReplay', { recordingId })
  t.match(await back.find(message => message.type === 'publicationChanged' && (message as { publication?: { replay?: object } }).publication?.replay !== undefined), { publication: { publicationId, replay: { recordingId } } })
  t.match(await back.find(({ type }) => type === 'replayChanged'), { publicationId, state: 'playing' })
  await back.ok('controlReplay', { publicationId, isPlaying: false, positionMillis: 0 })
  await back.find(({ type, state }) => type === 'replayChanged' && state === 'paused')
  t.equal(await back.refusal('controlReplay', { publicationId, positionMillis: 1e8 }), 'out_of_range')
  const since = back.received.length
  await back.ok('closeReplay')
  await back.find(message => message.type === 'publicationChanged' && (message as { publication?: { replay?: object } | null }).publication?.replay === undefined, since)
})
