import sharp from 'sharp'
import { jpegSegments } from '../../relay/wire/tile-jpeg.ts'

/** MCU of 4:2:0, in pixels. @see ITU-T T.81 section A.2 */
const MCU = 16
const DHT = 0xc4
const SOS = 0xda

interface Pixels {
  readonly data: Uint8Array
  /** In pixels; three bytes each. */
  readonly width: number
  readonly height: number
}

/**
 * Strips of a picture, a tile wide and an MCU high, each coded by itself with the same tables. Any of them can be stacked
 * into tiles with restart markers between, without coding anything again: that is how hundreds of thousands of
 * different tiles are made in seconds. @see ITU-T T.81 sections B.2.1 and F.1.1.5
 */
export class StripBank {
  readonly columns: number
  readonly rows: number
  readonly #scans: readonly Buffer[]
  readonly #head: Buffer
  readonly #strips: number
  /** DQT and DHT, as a tables segment with SOI and EOI. */
  readonly tables: Buffer

  private constructor(columns: number, rows: number, side: number, strips: readonly Buffer[]) {
    const [first] = strips
    if (first === undefined) throw new Error('a bank has a strip')
    this.columns = columns
    this.rows = rows
    this.#strips = side / MCU
    this.#scans = strips.map(scanOf)
    const segments = jpegSegments(first)
    const take = (wanted: (marker: number) => boolean): Buffer[] => segments.filter(({ marker }) => wanted(marker)).map(({ start, end }) => first.subarray(start, end))
    this.tables = Buffer.concat([Buffer.of(0xff, 0xd8), ...take(marker => marker === 0xdb || marker === DHT), Buffer.of(0xff, 0xd9)])
    const frame = Buffer.concat(take(marker => marker === 0xc0))
    frame.writeUInt16BE(side, 5)
    const restarts = Buffer.from([0xff, 0xdd, 0, 4, 0, side / MCU])
    this.#head = Buffer.concat([Buffer.of(0xff, 0xd8), frame, restarts, ...take(marker => marker === SOS)])
  }

  /** @param side - Of a tile: a multiple of 16, which the picture's sides are multiples of. */
  static async make(picture: Pixels, side: number, quality: number): Promise<StripBank> {
    const [columns, rows] = [picture.width / side, picture.height / MCU]
    const strips: Promise<Buffer>[] = []
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const pixels = cut(picture, column * side, row * MCU, side, MCU)
        // Without optimised coding every strip has the standard's Huffman tables. @see ITU-T T.81 annex K
        strips.push(sharp(pixels, { raw: { width: side, height: MCU, channels: 3 } }).jpeg({ quality, chromaSubsampling: '4:2:0', optimiseCoding: false, mozjpeg: false }).toBuffer())
      }
    }
    return new StripBank(columns, rows, side, await Promise.all(strips))
  }

  /** A tile of strips from one column of the picture, without tables. One of its strips is another one. */
  tile(column: number, firstRow: number, other: { readonly at: number; readonly bank: StripBank; readonly strip: number }): Buffer {
    const parts = [this.#head]
    for (let index = 0; index < this.#strips; index++) {
      const scan = index === other.at ? other.bank.#scans[other.strip % other.bank.#scans.length] : this.#scans[((firstRow + index) % this.rows) * this.columns + (column % this.columns)]
      if (scan === undefined) throw new Error('a bank has this strip')
      parts.push(scan, index === this.#strips - 1 ? Buffer.of(0xff, 0xd9) : Buffer.of(0xff, 0xd0 + (index % 8)))
    }
    return Buffer.concat(parts)
  }

  get strips(): number {
    return this.#scans.length
  }
}

/** Between the scan's header and EOI. */
function scanOf(jpeg: Buffer): Buffer {
  const scan = jpegSegments(jpeg).at(-1)
  if (scan?.marker !== SOS) throw new Error('a JPEG has a scan')
  return jpeg.subarray(scan.end, jpeg.length - 2)
}

function cut({ data, width: across, height }: Pixels, x: number, y: number, width: number, lines: number): Buffer {
  const pixels = Buffer.allocUnsafe(width * lines * 3)
  for (let line = 0; line < lines; line++) {
    const at = (((y + line) % height) * across + x) * 3
    pixels.set(data.subarray(at, at + width * 3), line * width * 3)
  }
  return pixels
}
