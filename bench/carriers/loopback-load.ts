import { systemClock } from '../../relay/runtime/clock.ts'
import { completeContract } from '../../relay/links/link-classes.ts'
import { LinkName, PathName } from '../../relay/wire/link.ts'
import { millis } from '../../relay/wire/units.ts'
import { LinkPair } from './link-end.ts'
import type { FigureSheet } from '../report.ts'

/** Offered, in bits per second of payload. */
const LOADS = [100e6, 300e6, 520e6]
const MOST = LOADS.slice(-1)
const BUDGET_MILLIS = 160
const SETTLE = millis(1500)

/**
 * A link between two processes on loopback, sealed as everywhere: what goes through one process, and what it costs. There
 * is no emulator beside it, and no other work of ours. Briefly, only the largest load is offered.
 */
export async function measureLoopback(sheet: FigureSheet, { seconds, isQuick }: { readonly seconds: number; readonly isQuick: boolean }, signal: AbortSignal): Promise<void> {
  const contract = completeContract({ name: LinkName.parse('loopback'), class: 'best-effort', paths: [{ name: PathName.parse('only') }] })
  for (const load of isQuick ? MOST : LOADS) {
    await using pair = await LinkPair.open({ contract, host: '127.0.0.1', port: 0, budgetMillis: BUDGET_MILLIS, signal })
    pair.initiator.command({ type: 'load', bitsPerSecond: load })
    await systemClock.sleep(SETTLE, signal)
    const rates: number[] = []
    const costs: Record<'initiator' | 'responder', number[]> = { initiator: [], responder: [] }
    const begin = await pair.responder.totals()
    let before = { initiator: await pair.initiator.totals(), responder: begin }
    for (let second = 0; second < seconds; second++) {
      await Promise.race([systemClock.sleep(millis(1000), signal), pair.failed])
      const [initiator, responder] = await Promise.all([pair.initiator.totals(), pair.responder.totals()])
      const rate = (8000 * (responder.livePayloadBytes - before.responder.livePayloadBytes)) / (responder.at - before.responder.at)
      rates.push(rate)
      for (const end of ['initiator', 'responder'] as const) {
        const now = end === 'initiator' ? initiator : responder
        costs[end].push(((now.cpuSeconds - before[end].cpuSeconds) / ((now.at - before[end].at) / 1000)) * (100e6 / rate))
      }
      before = { initiator, responder }
    }
    const offered = String(load / 1e6)
    const missed = before.responder.deadlineMisses - begin.deadlineMisses
    sheet.add(
      { name: 'loopback_bits_per_second', labels: { offered_mbit: offered }, unit: 'bit/s', note: `payload of whole packets between two processes on loopback; ${missed} packets given up`, ...(load === LOADS.at(-1) ? { goal: { relation: '>=', bound: 500e6 } as const } : {}) },
      rates,
    )
    for (const end of ['initiator', 'responder'] as const) {
      sheet.add({ name: 'loopback_cpu_ratio_per_100mbit', labels: { end, offered_mbit: offered }, unit: 'ratio', note: 'of one core for each 100 Mbit/s of payload; samples are seconds', goal: { relation: '<=', bound: 0.2 } }, costs[end])
    }
  }
}
