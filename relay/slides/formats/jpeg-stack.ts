import { jpegFrame, jpegSegments } from '../../wire/tile-jpeg.ts'

const [BASELINE, EXTENDED, SOS, DRI, EOI] = [0xc0, 0xc1, 0xda, 0xdd, 0xd9]
const [FIRST_RESTART, LAST_RESTART] = [0xd0, 0xd7]
const BLOCK = 8
/** What libjpeg takes; the format has a few more lines. */
const MOST_LINES = 65_500
const MOST_INTERVAL = 0xffff

/** Where the parts of a JPEG with one scan are. */
interface OneScan {
  /** Before SOS. */
  readonly head: Uint8Array
  readonly sos: Uint8Array
  /** The coded data, up to EOI. */
  readonly data: Uint8Array
  /** Where in the data the restart markers are. */
  readonly restarts: readonly number[]
}

/** What is the same in all JPEGs of a stack. */
interface StackedSize {
  /** Lines of one, and where they are written. */
  readonly height: number
  readonly heightAt: number
  /** MCUs of one, and from one restart to the next; the same where it has no restarts of its own. */
  readonly units: number
  readonly interval: number
}

/**
 * Puts JPEGs of equal headers one below the other as one JPEG, without decoding: their coded data stand between restart
 * markers, at which every decoder begins anew. Decoding a stack costs a fraction of decoding its tiles one by one,
 * because pictures as small as tiles cost mostly what a decoder does once for each.
 *
 * @param jpegs - Whole JPEGs of one size.
 * @returns Undefined where they do not stack: another header, several scans, restarts that do not end with a tile, a height that is no whole number of MCUs, one that is cut off.
 * @throws {RelayFault} `bad_slide` for what is no JPEG.
 * @see ITU-T T.81 sections B.2.1 and B.2.4.4
 */
export function stackJpegs(jpegs: readonly Uint8Array[]): Uint8Array | undefined {
  const [first] = jpegs
  if (first === undefined) return undefined
  const size = sizeOf(first)
  const parts = jpegs.map(oneScanOf)
  const [pattern] = parts
  if (size === undefined || pattern === undefined || size.height * jpegs.length > MOST_LINES) return undefined
  const own = size.units / size.interval - 1
  const scans: Uint8Array[] = []
  let restarts = 0
  for (const [turn, part] of parts.entries()) {
    if (part?.restarts.length !== own || !isSame(part.head, pattern.head) || !isSame(part.sos, pattern.sos)) return undefined
    scans.push(own === 0 ? part.data : renumbered(part, restarts), Uint8Array.of(0xff, turn === parts.length - 1 ? EOI : FIRST_RESTART + ((restarts + own) % 8)))
    restarts += own + 1
  }
  const head = Buffer.from(pattern.head)
  head.writeUInt16BE(size.height * jpegs.length, size.heightAt)
  const definition = own === 0 ? [Buffer.from([0xff, DRI, 0, 4, size.interval >> 8, size.interval & 0xff])] : []
  return Buffer.concat([head, ...definition, pattern.sos, ...scans])
}

/** @see ITU-T T.81 section A.2 */
function sizeOf(jpeg: Uint8Array): StackedSize | undefined {
  const { marker, precision, width, height, components } = jpegFrame(jpeg)
  const segments = jpegSegments(jpeg)
  const frame = segments.find(segment => segment.marker === marker)
  if ((marker !== BASELINE && marker !== EXTENDED) || precision !== 8 || frame === undefined) return undefined
  // From its length field on.
  const body = frame.end - (8 + 3 * components)
  if (jpeg[body - 1] !== marker) return undefined
  const factors = Array.from({ length: components }, (_, component) => jpeg[body + 8 + 3 * component + 1] ?? 0)
  // Of one component alone, an MCU is a block, whatever its factors.
  const [across, down] = components === 1 ? [1, 1] : [Math.max(...factors.map(factor => factor >> 4)), Math.max(...factors.map(factor => factor & 15))]
  if (across < 1 || down < 1 || height === 0 || height % (BLOCK * down) !== 0) return undefined
  const units = Math.ceil(width / (BLOCK * across)) * (height / (BLOCK * down))
  const restarts = segments.findLast(segment => segment.marker === DRI)
  const said = restarts === undefined ? 0 : ((jpeg[restarts.end - 2] ?? 0) << 8) | (jpeg[restarts.end - 1] ?? 0)
  const interval = said === 0 ? units : said
  // Where it is written, but as none, or as all of a tile, another definition would have to go.
  const isPlain = restarts === undefined || (said > 0 && said < units)
  return isPlain && units >= 1 && interval <= MOST_INTERVAL && units % interval === 0 ? { height, heightAt: body + 3, units, interval } : undefined
}

/** @returns Undefined when the data has another marker than restarts before its end, or no end. */
function oneScanOf(jpeg: Uint8Array): OneScan | undefined {
  const sos = jpegSegments(jpeg).at(-1)
  if (sos?.marker !== SOS) return undefined
  const restarts: number[] = []
  for (let at = jpeg.indexOf(0xff, sos.end); at >= 0; at = jpeg.indexOf(0xff, at + 2)) {
    const next = jpeg[at + 1] ?? 0
    if (next === 0) continue
    if (next === EOI) return { head: jpeg.subarray(0, sos.start), sos: jpeg.subarray(sos.start, sos.end), data: jpeg.subarray(sos.end, at), restarts }
    if (next < FIRST_RESTART || next > LAST_RESTART) return undefined
    restarts.push(at - sos.end)
  }
  return undefined
}

/** With restart markers that are counted from another one on. */
function renumbered({ data, restarts }: OneScan, first: number): Uint8Array {
  const copy = Uint8Array.from(data)
  for (const [turn, at] of restarts.entries()) copy[at + 1] = FIRST_RESTART + ((first + turn) % 8)
  return copy
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
