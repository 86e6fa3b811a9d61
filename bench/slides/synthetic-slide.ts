import { open } from 'node:fs/promises'
import sharp from 'sharp'
import { drawTissue } from '../../clients/capture/tissue.ts'
import { StripBank } from './strip-bank.ts'
import { asciiField, headerBytes, layOutTiff, longField, shortField } from './tiff-layout.ts'
import type { FileHandle } from 'node:fs/promises'
import type { TiffField, TiffImage } from './tiff-layout.ts'

/** Texts that a test looks for in what leaves: where a slide of Aperio's may name somebody. */
export interface PlantedTexts {
  /** Fields of every `ImageDescription`, by name, besides AppMag and MPP. */
  readonly description?: Readonly<Record<string, string>>
  /** ASCII tags of level 0, by number: 315 is Artist, 65000 nobody's. */
  readonly tags?: Readonly<Record<number, string>>
  /** Comments (JPEG COM) in the label, the macro image, the first tile of level 0 and the JPEG tables. */
  readonly label?: string
  readonly macro?: string
  readonly tile?: string
  readonly tables?: string
}

/** What a synthetic slide is like. */
export interface SyntheticSlideOptions {
  /** Of level 0, in pixels. */
  readonly width: number
  readonly height: number
  /** 240 or 256. */
  readonly tileSide: 240 | 256
  /** How many times smaller each further level is. */
  readonly downsamples: readonly number[]
  readonly seed: number
  /** The drawn picture repeats after so many tiles in both directions. */
  readonly periodTiles: number
  /** JPEG quality, 1 to 100. */
  readonly quality: number
  readonly planted: PlantedTexts
}

/** 100,000×80,000 pixels, as the benchmarks take them. */
export const FULL_SLIDE: SyntheticSlideOptions = { width: 100_000, height: 80_000, tileSide: 240, downsamples: [4, 16], seed: 5, periodTiles: 8, quality: 84, planted: {} }
/** A quarter of that, for brief looks. */
export const QUARTER_SLIDE: SyntheticSlideOptions = { ...FULL_SLIDE, width: 50_000, height: 40_000 }
/** Some hundred tiles, for tests. */
export const SMALL_SLIDE: SyntheticSlideOptions = { ...FULL_SLIDE, width: 3000, height: 2000, downsamples: [4], periodTiles: 2, quality: 40 }

/** What was written. */
export interface SyntheticSlide {
  readonly bytes: number
  readonly tiles: number
}

const KIND = { isBig: true, isLittleEndian: true } as const
const FLUSH_BYTES = 8 * 1024 * 1024

/** Pictures of one resolution: tissue, and the empty glass around it. */
interface Banks {
  readonly tissue: StripBank
  readonly glass: StripBank
  /** Tiles after which the tissue repeats. */
  readonly period: number
}

/**
 * Writes an Aperio-like BigTIFF: levels with label and macro images. The same options give the same bytes; of the full slide some 97 % of the tiles differ (glass repeats).
 *
 * @param path - Overwritten.
 */
export async function writeSyntheticSlide(path: string, options: SyntheticSlideOptions): Promise<SyntheticSlide> {
  await using file = await open(path, 'w')
  const sink = new Sink(file, headerBytes(KIND))
  const side = options.periodTiles * options.tileSide
  const drawn = drawTissue(side, 0, side)
  const finest = await makeBanks(options, drawn, 1)
  const images: TiffImage[] = []
  let tiles = 0
  for (const downsample of [1, ...options.downsamples]) {
    const banks = downsample === 1 ? finest : await makeBanks(options, drawn, downsample)
    const written = await writeLevel(sink, options, downsample, banks, finest)
    images.push({ fields: written.fields })
    tiles += written.tiles
  }
  for (const name of ['label', 'macro'] as const) images.push({ fields: await writePicture(sink, options, name) })
  const { header, directories } = layOutTiff(images, sink.at, KIND)
  await sink.write(directories)
  await sink.flush()
  await file.write(header, 0, header.length, 0)
  return { bytes: sink.at, tiles }
}

/** Appends to a file in large pieces. */
class Sink {
  readonly #file: FileHandle
  #parts: Buffer[] = []
  #held = 0
  /** Where the next byte will stand. */
  at: number

  constructor(file: FileHandle, at: number) {
    this.#file = file
    this.at = at
  }

  async write(bytes: Buffer): Promise<number> {
    const offset = this.at
    this.#parts.push(bytes)
    this.#held += bytes.length
    this.at += bytes.length
    if (this.#held >= FLUSH_BYTES) await this.flush()
    return offset
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#parts)
    for (let done = 0; done < bytes.length;) done += (await this.#file.write(bytes, done, bytes.length - done, this.at - this.#held + done)).bytesWritten
    this.#parts = []
    this.#held = 0
  }
}

async function makeBanks({ tileSide, periodTiles, quality }: SyntheticSlideOptions, drawn: Uint8Array, downsample: number): Promise<Banks> {
  const period = Math.max(1, Math.floor(periodTiles / downsample))
  const [side, smaller] = [periodTiles * tileSide, period * tileSide]
  const data = await sharp(drawn, { raw: { width: side, height: side, channels: 3 } }).resize(smaller, smaller).raw().toBuffer()
  const rows = 32 * tileSide
  return {
    tissue: await StripBank.make({ data, width: smaller, height: smaller }, tileSide, quality),
    glass: await StripBank.make({ data: drawGlass(tileSide, rows), width: tileSide, height: rows }, tileSide, quality),
    period,
  }
}

/** Nearly white, with a speck of dust on every strip, so that no two are the same. */
function drawGlass(width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3).fill(243)
  for (let strip = 0; strip < height / 16; strip++) {
    const [x, y] = [(strip * 37) % (width - 6), strip * 16 + 3 + (strip % 7)]
    for (let index = 0; index < 36; index++) pixels.fill(120 + ((strip * 5 + index) % 90), ((y + Math.floor(index / 6)) * width + x + (index % 6)) * 3, ((y + Math.floor(index / 6)) * width + x + (index % 6)) * 3 + 3)
  }
  return pixels
}

/** Three pieces of tissue on the glass. @param x, y - From 0 to 1. */
const isTissue = (x: number, y: number, seed: number): boolean =>
  [[0.3, 0.47, 0.22, 0.36], [0.7, 0.55, 0.22, 0.33], [0.52, 0.18, 0.14, 0.12]].some(([left = 0, top = 0, width = 1, height = 1]) =>
    ((x - left) / width) ** 2 + ((y - top) / height) ** 2 < 1 + 0.15 * Math.sin(40 * x + seed) * Math.sin(31 * y - seed))

async function writeLevel(sink: Sink, options: SyntheticSlideOptions, downsample: number, banks: Banks, finest: Banks): Promise<{ fields: TiffField[]; tiles: number }> {
  const { tileSide, seed, planted } = options
  const [width, height] = [Math.floor(options.width / downsample), Math.floor(options.height / downsample)]
  const [columns, rows] = [Math.ceil(width / tileSide), Math.ceil(height / tileSide)]
  const [offsets, lengths] = [new BigUint64Array(columns * rows), new Uint32Array(columns * rows)]
  const strips = tileSide / 16
  // How often each tile of the repeating picture was written: the next copy has another strip in another place.
  const copies = new Map<number, number>()
  for (let index = 0; index < offsets.length; index++) {
    const [column, row] = [index % columns, Math.floor(index / columns)]
    const inTissue = isTissue((column + 0.5) / columns, (row + 0.5) / rows, seed)
    const place = inTissue ? (row % banks.period) * banks.period + (column % banks.period) : -1
    const copy = copies.get(place) ?? 0
    copies.set(place, copy + 1)
    const bank = inTissue ? banks.tissue : banks.glass
    const other = { at: copy % strips, strip: seed + Math.floor(copy / strips), bank: inTissue ? finest.tissue : banks.glass }
    const used = Math.floor(copy / (strips * other.bank.strips))
    if (used >= (inTissue ? 1 : bank.rows)) throw new Error('the slide is too large for its tiles to differ')
    // Glass goes on to its next strip when the variations of one are used up.
    const tile = bank.tile(column % banks.period, inTissue ? (row % banks.period) * strips : used, other)
    const bytes = index === 0 && downsample === 1 ? withComment(tile, planted.tile) : tile
    offsets[index] = BigInt(await sink.write(bytes))
    lengths[index] = bytes.length
  }
  const fields = [
    longField(254, 0), longField(256, width), longField(257, height), shortField(258, 8, 8, 8), shortField(259, 7), shortField(262, 6),
    asciiField(270, description(options, `${options.width}x${options.height} [0,0 ${width}x${height}] (${tileSide}x${tileSide}) JPEG/YCC Q=${options.quality}`)),
    shortField(277, 3), shortField(284, 1), longField(322, tileSide), longField(323, tileSide),
    { tag: 324, type: 16, value: Buffer.from(offsets.buffer) }, { tag: 325, type: 4, value: Buffer.from(lengths.buffer) },
    { tag: 347, type: 7, value: withComment(banks.tissue.tables, planted.tables) }, shortField(530, 2, 2),
    ...(downsample === 1 ? Object.entries(planted.tags ?? {}).map(([tag, text]) => asciiField(Number(tag), text)) : []),
  ]
  return { fields, tiles: offsets.length }
}

function description({ planted }: SyntheticSlideOptions, line: string): string {
  const fields = Object.entries({ AppMag: '40', MPP: '0.2500', ...planted.description }).map(([name, value]) => `|${name} = ${value}`)
  return `Aperio Image Library v12.0.16 \r\n${line}${fields.join('')}`
}

/** A picture beside the levels, in one strip. */
async function writePicture(sink: Sink, options: SyntheticSlideOptions, name: 'label' | 'macro'): Promise<TiffField[]> {
  const [width, height] = name === 'label' ? [400, 320] : [1200, 420]
  const { data } = await sharp({ create: { width, height, channels: 3, background: name === 'label' ? '#f0e8d0' : '#e8e8ec' } }).jpeg({ quality: 80 }).toBuffer({ resolveWithObject: true })
  const bytes = withComment(data, options.planted[name])
  const offset = await sink.write(bytes)
  return [
    longField(254, name === 'label' ? 1 : 9), longField(256, width), longField(257, height), shortField(258, 8, 8, 8), shortField(259, 7), shortField(262, 6),
    asciiField(270, `Aperio Image Library v12.0.16 \r\n${name} ${width}x${height}`), { tag: 273, type: 16, value: [offset] }, shortField(277, 3),
    longField(278, height), longField(279, bytes.length), shortField(284, 1), shortField(530, 2, 2),
  ]
}

/** Puts a comment segment right after SOI. @see ITU-T T.81 section B.2.4.5 */
function withComment(jpeg: Buffer, text: string | undefined): Buffer {
  if (text === undefined) return jpeg
  const comment = Buffer.from(text)
  const head = Buffer.from([0xff, 0xfe, 0, 0])
  head.writeUInt16BE(comment.length + 2, 2)
  return Buffer.concat([jpeg.subarray(0, 2), head, comment, jpeg.subarray(2)])
}
