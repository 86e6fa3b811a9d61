import { systemClock } from '../../relay/runtime/clock.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { sumSamples } from '../exposition.ts'
import { ReceiverProcess } from '../receiver/receiver-process.ts'
import { randomView, renditionsInView, seededRandom } from './viewport-renditions.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { MetricSample } from '../exposition.ts'
import type { LocalNode } from '../local-node.ts'
import type { ReceiverSecond } from '../receiver/messages.ts'
import type { FigureSheet } from '../report.ts'
import type { BenchContext } from './scenario.ts'

/** An HD screen, in device pixels. */
const HD = { width: 1920, height: 1080 }
/** From a change of view until every keyframe has come and the node's statistics know nothing of the view before. */
const SETTLE = millis(1200)
/** Nothing flows any more, and both sides have counted what did. */
const QUIET = millis(2500)
/** Node and receiver should agree on what crossed between them to this share. */
const AGREEMENT_RATIO = 0.02

/** How the share is measured. */
export interface DownlinkOptions {
  readonly positions: number
  readonly secondsPerPosition: number
  readonly seed: number
}

/** Totals of the node, all from one reading of its statistics. */
interface NodeTotals {
  /** RTP to viewers, first transmissions and retransmissions. */
  readonly sentBytes: number
  readonly probationBytes: number
  /** RTP of all tiles from the microscope. */
  readonly tileBytes: number
}

function nodeTotals(samples: readonly MetricSample[]): NodeTotals {
  const sent = (kinds: readonly string[]): number =>
    sumSamples(samples, 'kenkyo_transport_bytes_total', ({ role, direction, kind }) => role === 'viewer' && direction === 'out' && kinds.includes(kind ?? ''))
  return {
    sentBytes: sent(['rtp', 'rtx']),
    probationBytes: sent(['probation']),
    tileBytes: sumSamples(samples, 'kenkyo_rendition_bytes_total', ({ rendition, direction }) => direction === 'in' && rendition?.startsWith('tile-') === true),
  }
}

/**
 * What a viewer's line carries, as a share of the sum of all tiles: at the node's transport to the only
 * receiver there is, over what the node got from the microscope in the same time.
 */
export async function measureDownlink(node: LocalNode, options: DownlinkOptions, sheet: FigureSheet, context: BenchContext): Promise<void> {
  const { signal, say } = context
  let last: ReceiverSecond | undefined
  await using receiver = await ReceiverProcess.open({
    name: 'receiver',
    invitation: await node.invite('viewer', 'downlink'),
    frameDeadline: millis(500),
    signal,
    onSecond: second => (last = second),
  })
  const wait = (duration: number): Promise<void> => Promise.race([systemClock.sleep(millis(duration), signal), receiver.failed, node.program.failed])
  const shareOf = async (renditions: readonly RenditionId[]): Promise<number> => {
    await receiver.watch(renditions)
    await wait(SETTLE)
    const before = nodeTotals(await node.metrics())
    await wait(options.secondsPerPosition * 1000)
    const after = nodeTotals(await node.metrics())
    return (after.sentBytes - before.sentBytes) / (after.tileBytes - before.tileBytes)
  }
  const random = seededRandom(options.seed)
  const before = nodeTotals(await node.metrics())
  const shares: number[] = []
  for (let position = 1; position <= options.positions; position++) {
    const view = randomView(receiver.pyramid, HD, random)
    const share = await shareOf(renditionsInView(receiver.pyramid, view))
    shares.push(share)
    say(`HD view ${position} of ${options.positions} at ${view.x},${view.y}: ${(100 * share).toFixed(1)} % of all tiles`)
  }
  const overview: number[] = []
  const overviewReadings = Math.max(2, Math.ceil(options.positions / 4))
  for (let reading = 0; reading < overviewReadings; reading++) overview.push(await shareOf([OVERVIEW]))
  await receiver.watch([])
  await wait(QUIET)
  const after = nodeTotals(await node.metrics())
  const probation = after.probationBytes - before.probationBytes
  const note = `bytes at the node, overview and retransmissions included, over the sum of all tiles; ${probation} bytes of probation not counted`
  sheet.addMean({ name: 'downlink_share', labels: { view: 'hd-1to1' }, unit: 'ratio', note, goal: { relation: '<=', bound: 0.3 } }, shares)
  sheet.addMean({ name: 'downlink_share', labels: { view: 'overview' }, unit: 'ratio', note }, overview)
  compareCounts(after.sentBytes - before.sentBytes, last, sheet)
}

function compareCounts(sentBytes: number, last: ReceiverSecond | undefined, sheet: FigureSheet): void {
  const receivedBytes = (last?.totalRtpBytes ?? 0) + (last?.totalRtxBytes ?? 0)
  sheet.add({ name: 'downlink_bytes', labels: { counted_by: 'node' }, unit: 'bytes', note: 'RTP and RTX in the whole downlink part' }, [sentBytes])
  sheet.add({ name: 'downlink_bytes', labels: { counted_by: 'receiver' }, unit: 'bytes', note: 'the same, after decryption' }, [receivedBytes])
  const disagreement = Math.abs(sentBytes - receivedBytes) / sentBytes
  if (disagreement > AGREEMENT_RATIO) {
    sheet.warnings.push(`node and receiver disagree by ${(100 * disagreement).toFixed(1)} % on the bytes between them: ${sentBytes} sent, ${receivedBytes} received`)
  }
}
