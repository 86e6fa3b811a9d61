import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import type { ChildProgram } from '../processes.ts'
import type { EmulatedNetwork } from '../lines/emulated-network.ts'

const POLL_INTERVAL = millis(50)
/** From here on a transfer counts as begun: connections are made, and what describes a slide is sent. In bytes of IP. */
const BEGUN_BYTES = 500_000

/** TCP with timestamps in 1,500 bytes of IP: what every carrier's goodput is measured by. */
export const PAYLOAD_RATIO = 1448 / 1500

/** A transfer under way. */
export interface SlideTransfer extends AsyncDisposable {
  /** Ends when the transfer is over. */
  readonly program: ChildProgram
  /** Bytes that are at the far end by now. */
  bytesThere(): Promise<number>
  /** When the last of them came, on the clock of `performance.now()`; undefined: when the program ended. */
  lastAt?(): number
}

/** What one transfer brought. */
export interface TransferOutcome {
  /** Bits per second, from its first half megabyte on the line until all was there or the time was up. */
  readonly goodput: number
  readonly isWhole: boolean
  /** Until its first half megabyte had left. */
  readonly setupSeconds: number
}

/**
 * Follows a transfer to its end, or until its time is up.
 *
 * @param before - Bytes that the line had carried upwards when it was started.
 * @throws {RelayFault} `unavailable` when its program fails.
 */
export async function followTransfer(transfer: SlideTransfer, { network, leaf, before, limitSeconds, signal }: { readonly network: EmulatedNetwork; readonly leaf: string; readonly before: number; readonly limitSeconds: number; readonly signal: AbortSignal }): Promise<TransferOutcome> {
  const startedAt = performance.now()
  let begunAt: number | undefined
  let exit: { readonly code: number | null } | undefined
  void transfer.program.exited.then(it => (exit = it))
  while (exit === undefined && performance.now() - startedAt < limitSeconds * 1000) {
    await Promise.race([systemClock.sleep(POLL_INTERVAL, signal), transfer.program.exited, network.failed])
    if (begunAt === undefined && (await network.counts(leaf)).up.bytes - before >= BEGUN_BYTES) begunAt = performance.now()
  }
  if (exit !== undefined && exit.code !== 0) throw new RelayFault('unavailable', `ended with code ${exit.code ?? '?'}: ${transfer.program.lastErrorLines.join(' ')}`)
  const endedAt = performance.now()
  const there = await transfer.bytesThere()
  const isWhole = exit !== undefined
  const last = isWhole ? (transfer.lastAt?.() ?? endedAt) : endedAt
  if (begunAt === undefined || there <= BEGUN_BYTES) return { goodput: (8000 * there) / (endedAt - startedAt), isWhole, setupSeconds: ((begunAt ?? endedAt) - startedAt) / 1000 }
  return { goodput: (8000 * (there - BEGUN_BYTES * PAYLOAD_RATIO)) / (last - begunAt), isWhole, setupSeconds: (begunAt - startedAt) / 1000 }
}

/** Bytes on disk in a directory, however its files are written: holes do not count. */
export async function bytesIn(directory: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    // It may have been renamed since.
    const { blocks, size } = await stat(join(entry.parentPath, entry.name)).catch(() => ({ blocks: 0, size: 0 }))
    sum += Math.min(size, blocks * 512)
  }
  return sum
}
