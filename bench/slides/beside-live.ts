import { join } from 'node:path'
import { completeContract } from '../../relay/links/link-classes.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { LinkName, PathName } from '../../relay/wire/link.ts'
import { millis } from '../../relay/wire/units.ts'
import { LinkPair } from '../carriers/link-end.ts'
import { delaysOf, framesLost, totalsOf } from '../scenarios/link-figures.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { EmulatedNetwork } from '../lines/emulated-network.ts'

const PORT = 20_601
const WARM_UP_MILLIS = 4000
const DRAIN_MILLIS = 2500

/** What is played beside a transfer, and where. */
export interface BesideLiveOptions {
  readonly network: EmulatedNetwork
  readonly leaf: string
  readonly recording: string
  readonly renditions: readonly RenditionId[]
  /** From a frame's last packet to its completion; later is lost. */
  readonly budgetMillis: number
  /** For what is stored. */
  readonly directory: string
  readonly seconds: number
  readonly signal: AbortSignal
}

/** What became of live frames in one stretch. */
export interface LiveStretch {
  /** From sending a frame's last packet to its completion, in milliseconds. */
  readonly delays: readonly number[]
  readonly sent: number
  readonly lost: number
  /** Bytes of chunks that became durable meanwhile, in bits per second. */
  readonly chunkBitsPerSecond: number
}

/** Live frames on a link, alone and beside a slide that the same link carries. */
export async function measureBesideLive(options: BesideLiveOptions): Promise<{ readonly alone: LiveStretch; readonly beside: LiveStretch }> {
  const { network, leaf, recording, renditions, budgetMillis, directory, seconds, signal } = options
  // Nothing is stated of the rate: a scanner knows nothing of its line either.
  const contract = completeContract({ name: LinkName.parse('bench'), class: 'best-effort', paths: [{ name: PathName.parse('only') }] })
  await using pair = await LinkPair.open({
    contract, host: network.nodeAddress, port: PORT, enter: { initiator: network.enter(leaf), responder: network.enter('node') },
    recording, renditions, budgetMillis, chunkFile: join(directory, 'chunks'), signal,
  })
  const wait = (duration: number): Promise<void> => Promise.race([systemClock.sleep(millis(duration), signal), pair.failed, network.failed])
  const play = async (hasChunks: boolean): Promise<LiveStretch> => {
    const before = await totalsOf(pair)
    pair.initiator.command({ type: 'play', isOn: true })
    if (hasChunks) pair.initiator.command({ type: 'chunks', isOn: true })
    await wait(WARM_UP_MILLIS)
    pair.takeFrames()
    const begin = await pair.responder.totals()
    await wait(seconds * 1000)
    const end = await pair.responder.totals()
    const delays = delaysOf(pair.takeFrames())
    pair.initiator.command({ type: 'play', isOn: false })
    pair.initiator.command({ type: 'chunks', isOn: false })
    await wait(DRAIN_MILLIS)
    const after = await totalsOf(pair)
    return {
      delays, sent: after.initiator.frames - before.initiator.frames, lost: framesLost(before, after),
      chunkBitsPerSecond: (8000 * (end.bulkBytes - begin.bulkBytes)) / (end.at - begin.at),
    }
  }
  const alone = await play(false)
  return { alone, beside: await play(true) }
}
