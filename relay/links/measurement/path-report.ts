import { BURST_LENGTHS, GAP_LENGTHS } from './loss-window.ts'
import { bitsPerSecond, bytes, millis } from '../../wire/units.ts'
import type { PathGauges, PathTotals } from './link-snapshot.ts'

/** What the receiving end of a path tells the sending end, about twice a second. */
export interface PathReport {
  /** Grows by one per report of the path. Reports may overtake each other. */
  readonly number: number
  readonly totals: PathTotals
  readonly gauges: PathGauges
}

const BURST_CLASSES = BURST_LENGTHS.length + 1
const GAP_CLASSES = GAP_LENGTHS.length + 1
const FIELDS = 6 + BURST_CLASSES + GAP_CLASSES + 5
const MICROS = 1000
const MILLION = 1_000_000
/** A delay beyond an hour and a rate beyond a terabit per second are nonsense. */
const MAX_MICROS = 3_600_000 * MICROS
const MAX_RATE = 1e12

/** More bytes than this no report takes. */
export const MAX_PATH_REPORT_BYTES = FIELDS * 8

/**
 * Writes a report: its number, totals and gauges as variable-length integers (RFC 9000 section 16), in the order in
 * which {@link decodePathReport} reads them; delays in microseconds, the ratio in millionths. Values outside of what the
 * decoder takes are written as the nearest it does.
 *
 * @returns The offset of the byte after it.
 * @throws {RangeError} when fewer than {@link MAX_PATH_REPORT_BYTES} are left, so that it never half fits.
 */
export function encodePathReport(buffer: Uint8Array, offset: number, report: PathReport): number {
  if (buffer.length - offset < MAX_PATH_REPORT_BYTES) throw new RangeError('no room for a path report')
  const { totals, gauges } = report
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  let end = offset
  const put = (value: number, most: number): void => {
    end = putInteger(view, end, Math.round(Math.min(most, Math.max(0, value))) || 0)
  }
  const putTotal = (value: number): void => put(value, Number.MAX_SAFE_INTEGER)
  putTotal(report.number)
  putTotal(totals.packets)
  putTotal(totals.bytes)
  putTotal(totals.lostPackets)
  putTotal(totals.duplicatePackets)
  putTotal(totals.reorderedPackets)
  for (let at = 0; at < BURST_CLASSES; at++) putTotal(totals.burstsByLength[at] ?? 0)
  for (let at = 0; at < GAP_CLASSES; at++) putTotal(totals.gapsByLength[at] ?? 0)
  put(gauges.jitter * MICROS, MAX_MICROS)
  put(gauges.delayVariation.p50 * MICROS, MAX_MICROS)
  put(gauges.delayVariation.p95 * MICROS, MAX_MICROS)
  put(gauges.lossRatio * MILLION, MILLION)
  put(gauges.throughput, MAX_RATE)
  return end
}

/**
 * Reads a report.
 *
 * @returns The report and the offset of the byte after it; undefined if it is cut short, or holds what cannot be: a number
 *   beyond 2^53, a ratio above 1, a delay above an hour, a rate above 1 Tbit/s, more repeated packets than packets.
 */
export function decodePathReport(buffer: Uint8Array, offset: number): { readonly report: PathReport; readonly end: number } | undefined {
  const reader = new IntegerReader(buffer, offset)
  const number = reader.take()
  const packets = reader.take()
  const size = reader.take()
  const lostPackets = reader.take()
  const duplicatePackets = reader.take(packets)
  const reorderedPackets = reader.take(packets)
  const burstsByLength = Array.from({ length: BURST_CLASSES }, () => reader.take())
  const gapsByLength = Array.from({ length: GAP_CLASSES }, () => reader.take())
  const lossBursts = burstsByLength.reduce((sum, count) => sum + count)
  const jitter = millis(reader.take(MAX_MICROS) / MICROS)
  const p50 = millis(reader.take(MAX_MICROS) / MICROS)
  const p95 = millis(reader.take(MAX_MICROS) / MICROS)
  const lossRatio = reader.take(MILLION) / MILLION
  const throughput = bitsPerSecond(reader.take(MAX_RATE))
  if (reader.isRefused || !Number.isSafeInteger(lossBursts) || p50 > p95) return undefined
  const totals = { packets, bytes: bytes(size), lostPackets, lossBursts, duplicatePackets, reorderedPackets, burstsByLength, gapsByLength }
  return { report: { number, totals, gauges: { jitter, delayVariation: { p50, p95 }, lossRatio, throughput } }, end: reader.end }
}

/** Reads variable-length integers; once one is refused, so is all that follows. @see RFC 9000 section 16 */
class IntegerReader {
  readonly #view: DataView
  #at: number
  #isRefused: boolean

  constructor(buffer: Uint8Array, offset: number) {
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    this.#at = offset
    this.#isRefused = !Number.isInteger(offset) || offset < 0
  }

  get end(): number {
    return this.#at
  }

  get isRefused(): boolean {
    return this.#isRefused
  }

  /** The next integer; 0, and refused, if it is cut short or exceeds `most`. */
  take(most = Number.MAX_SAFE_INTEGER): number {
    if (this.#isRefused || this.#at >= this.#view.byteLength) return this.#refuse()
    const length = 1 << (this.#view.getUint8(this.#at) >> 6)
    if (this.#at + length > this.#view.byteLength) return this.#refuse()
    const value = getInteger(this.#view, this.#at, length)
    if (value > most) return this.#refuse()
    this.#at += length
    return value
  }

  #refuse(): number {
    this.#isRefused = true
    return 0
  }
}

/** An integer of 1, 2, 4 or 8 bytes; beyond 2^53 not exact, but not less than 2^53 either. */
function getInteger(view: DataView, at: number, length: number): number {
  if (length === 1) return view.getUint8(at) & 0x3f
  if (length === 2) return view.getUint16(at) & 0x3fff
  if (length === 4) return view.getUint32(at) & 0x3fffffff
  return (view.getUint32(at) & 0x3fffffff) * 2 ** 32 + view.getUint32(at + 4)
}

/** Writes a non-negative safe integer in as few bytes as it takes; returns the offset after it. */
function putInteger(view: DataView, at: number, value: number): number {
  if (value < 2 ** 6) {
    view.setUint8(at, value)
    return at + 1
  }
  if (value < 2 ** 14) {
    view.setUint16(at, 0x4000 | value)
    return at + 2
  }
  if (value < 2 ** 30) {
    view.setUint32(at, 0x8000_0000 + value)
    return at + 4
  }
  view.setUint32(at, 0xc000_0000 + Math.floor(value / 2 ** 32))
  view.setUint32(at + 4, value % 2 ** 32)
  return at + 8
}
