import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { readManifest } from '../../clients/capture/recording.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { MEASURED_LINES } from '../all/needs.ts'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { ping } from '../lines/ping.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { LocalNode } from '../local-node.ts'
import { PacketCapture } from '../observers/packet-capture.ts'
import { addressNumber, observeDirection } from '../observers/line-observation.ts'
import { ReceiverProcess } from '../receiver/receiver-process.ts'
import { FigureSheet } from '../report.ts'
import { mean } from '../statistics.ts'
import { chooseRenditions } from './choose-renditions.ts'
import { readLinkMetrics } from './link-metrics-reading.ts'
import { reportAgreement } from './observed-report.ts'
import type { Measurement } from '../report.ts'
import type { Reading } from './link-metrics-reading.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  seconds: numeric(z.int().min(5).max(3600)).optional(),
  liveBitrate: numeric(z.number().min(1e6).max(200e6)).default(35e6),
  loss: numeric(z.number().min(0).max(0.2)).default(0.03),
  recording: z.string().min(1).optional(),
})

const LEAF = 'microscope'
const LINK_PORT = 20_500
const LINE = { rateBitsPerSecond: 100e6, roundTripMillis: 30, jitterMillis: 4 }
const WARM_UP = millis(8000)
const SECOND = millis(1000)
const PING_INTERVAL = millis(50)
const FRAME_DEADLINE = millis(1000)
/** From the end of the window until the last loss in it is final and reported. */
const DRAIN = millis(1500)
/** A loss is final so long after the departure: the way, and the time for which a later copy is waited for. */
const FINAL_AFTER = LINE.roundTripMillis / 2 + 210
/** What was sent from here is known from the far end's report: on average so much older. */
const REPORTED_AFTER = 250 + LINE.roundTripMillis / 2

/** A node, an agent, and whoever watches it, on one line. */
async function openConsultation(network: EmulatedNetwork, recording: string, bitrate: number, signal: AbortSignal) {
  await using scope = new AsyncDisposableStack()
  const { ids } = chooseRenditions(await readManifest(recording), bitrate)
  const node = scope.use(await LocalNode.open({ statsIntervalSeconds: 1, signal, network, settings: ['--link-port', String(LINK_PORT)] }))
  const agent = scope.use(await node.startAgent(['--source', 'recording', '--loop', '--input', recording], signal))
  const receiver = scope.use(
    await ReceiverProcess.open({
      name: 'receiver', invitation: await node.invite('viewer', 'viewer'), frameDeadline: FRAME_DEADLINE,
      place: { ...node.place(LEAF), enter: network.enter('node') }, signal, onSecond: () => undefined,
    }),
  )
  await receiver.watch(ids)
  const failed = Promise.race([node.program.failed, agent.failed, receiver.failed, network.failed])
  failed.catch(() => undefined)
  return { node, failed, renditions: ids.length, scope: scope.move() }
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const options = Options.safeParse(flags)
  if (!options.success) throw new RelayFault('bad_config', z.prettifyError(options.error))
  const { liveBitrate, loss } = options.data
  const { seconds = context.isQuick ? 10 : 90 } = options.data
  const { say, signal } = context
  const recording = options.data.recording ?? (await demoRecording({ onProgress: say, signal }))
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-observed-'))
  await using scope = new AsyncDisposableStack()
  scope.defer(() => rm(directory, { recursive: true, force: true }))

  const line = symmetricLine({ name: 'observed', ...LINE, lossRatio: loss })
  const network = scope.use(await EmulatedNetwork.open({ leaves: { [LEAF]: line }, signal, isPreferred: true }))
  say('starting a node, an agent and a receiver')
  const consultation = await openConsultation(network, recording, liveBitrate, signal)
  scope.use(consultation.scope)
  const { node, failed, renditions } = consultation
  const wait = (duration: number): Promise<void> => Promise.race([systemClock.sleep(millis(duration), signal), failed])
  const captures = {
    leaf: scope.use(await PacketCapture.open(network, LEAF, 'line0', join(directory, 'leaf.pcap'), signal)),
    node: scope.use(await PacketCapture.open(network, 'node', 'line0', join(directory, 'node.pcap'), signal)),
  }
  await wait(WARM_UP)

  say(`observing for ${seconds} s`)
  const pinging = ping(network, LEAF, (seconds * 1000) / PING_INTERVAL, signal, PING_INTERVAL)
  pinging.catch(() => undefined)
  const readings: Reading[] = [await readLinkMetrics(node)]
  const before = await network.counts(LEAF)
  for (let second = 1; second <= seconds; second++) {
    await wait((readings[0]?.at ?? 0) + second * SECOND - Date.now())
    readings.push(await readLinkMetrics(node))
  }
  const after = await network.counts(LEAF)
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined) throw new Error('there is a first and a last reading')
  const roundTrips = await pinging
  await wait(DRAIN)
  const { file: sentUp, dropped } = await captures.leaf.finish()
  const { file: sentDown, dropped: droppedAtNode } = await captures.node.finish()

  const sheet = new FigureSheet()
  if (dropped + droppedAtNode > 0) sheet.warnings.push(`the kernel kept ${dropped + droppedAtNode} packets from tcpdump`)
  const arrivals = { from: first.at, to: last.at }
  const earlier = (by: number) => ({ from: first.at - by, to: last.at - by })
  reportAgreement(sheet, {
    readings,
    directions: {
      in: {
        observed: observeDirection({ sender: sentUp, receiver: sentDown, source: addressNumber(network.leafAddress(LEAF)), linkPort: LINK_PORT, arrivals, departures: earlier(FINAL_AFTER) }),
        before: before.up, after: after.up,
      },
      out: {
        observed: observeDirection({ sender: sentDown, receiver: sentUp, source: addressNumber(network.nodeAddress), linkPort: LINK_PORT, arrivals: earlier(REPORTED_AFTER), departures: earlier(FINAL_AFTER + REPORTED_AFTER) }),
        before: before.down, after: after.down,
      },
    },
    roundTrips: { ping: roundTrips.map(each => each / 1000), knownSeconds: LINE.roundTripMillis / 1000 },
  })
  return {
    parameters: { seconds, ...LINE, loss, renditions, liveBitrate, recording, lines: network.description, priority: network.priority.name, pings: roundTrips.length, megabits: Math.round((8 * mean(readings.map(reading => reading.throughput.in))) / 1e6) },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** Whether a node's metrics say what happens on its line. */
export const observed: Scenario = {
  name: 'observed',
  needs: [...MEASURED_LINES, 'tcpdump'],
  summary: 'Compare what a node\'s metrics say of a link with packet captures, the emulator\'s counts and ping.',
  configure: command =>
    command
      .option('--seconds <n>', 'how long (default 90; quick 10)')
      .option('--live-bitrate <bit/s>', 'the overview and as many tiles as make this (default 35000000)')
      .option('--loss <ratio>', 'in each direction (default 0.03)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)'),
  run,
}
