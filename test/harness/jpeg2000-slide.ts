import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { asciiField, headerBytes, layOutTiff, longField, shortField } from '../../bench/slides/tiff-layout.ts'
import type { TiffImage } from '../../bench/slides/tiff-layout.ts'

const run = promisify(execFile)
const KIND = { isBig: false, isLittleEndian: true } as const
const TILE = 128
/** Aperio's own numbers: components of YCbCr, and of RGB. */
const COMPRESSION = { ycbcr: 33003, rgb: 33005 } as const

type Colours = keyof typeof COMPRESSION

/** The levels of {@link writeJpeg2000Slide}: the finest has RGB, the other one, three times smaller, YCbCr. */
export const JPEG2000_LEVELS = [
  { width: 6 * TILE, height: 630, colours: 'rgb' },
  { width: 2 * TILE, height: 210, colours: 'ycbcr' },
] as const satisfies readonly { width: number; height: number; colours: Colours }[]

/** What is drawn at a pixel of a level: no two tiles alike, and fine detail that only a lossless codec keeps. */
export function jpeg2000Pixel(level: number, x: number, y: number): [number, number, number] {
  const noise = Math.imul(x * 73_856_093 ^ y * 19_349_663 ^ level, 2_654_435_761) >>> 28
  return [150 + (x >> 3) % 80 + noise, 60 + (y >> 2) % 120 + (noise >> 1), 110 + ((x + y) >> 3) % 100 + noise]
}

/** As JFIF has it. @see ITU-T T.871 section 7 */
function toYcbcr([red, green, blue]: readonly [number, number, number]): [number, number, number] {
  return [0.299 * red + 0.587 * green + 0.114 * blue, 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue, 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue]
}

/** Losslessly, by OpenJPEG's own program (Debian package libopenjp2-tools). */
async function encodeTile(directory: string, level: number, [column, row]: readonly [number, number], colours: Colours): Promise<Buffer> {
  const pixels = Buffer.alloc(TILE * TILE * 3)
  for (let at = 0; at < TILE * TILE; at++) {
    const pixel = jpeg2000Pixel(level, column * TILE + (at % TILE), row * TILE + Math.floor(at / TILE))
    for (const [component, value] of (colours === 'rgb' ? pixel : toYcbcr(pixel)).entries()) pixels[3 * at + component] = Math.round(value)
  }
  const [source, encoded] = [join(directory, 'tile.ppm'), join(directory, 'tile.j2k')]
  await writeFile(source, Buffer.concat([Buffer.from(`P6\n${TILE} ${TILE}\n255\n`), pixels]))
  await run('opj_compress', ['-i', source, '-o', encoded, '-mct', colours === 'rgb' ? '1' : '0'])
  return readFile(encoded)
}

/** Whether the encoder is installed. */
export const hasJpeg2000Encoder = (): Promise<boolean> => run('opj_compress', ['-h']).then(() => true, (error: unknown) => (error as { code?: unknown }).code !== 'ENOENT')

/** Writes a slide as Aperio's scanners write it, with tiles of JPEG 2000. @returns Its path. */
export async function writeJpeg2000Slide(directory: string): Promise<string> {
  const parts: Buffer[] = []
  const images: TiffImage[] = []
  let at = headerBytes(KIND)
  for (const [level, { width, height, colours }] of JPEG2000_LEVELS.entries()) {
    const tiles: Buffer[] = []
    for (let row = 0; row < Math.ceil(height / TILE); row++) for (let column = 0; column < Math.ceil(width / TILE); column++) tiles.push(await encodeTile(directory, level, [column, row], colours))
    const offsets = tiles.map(tile => (at += tile.length) - tile.length)
    parts.push(...tiles)
    images.push({ fields: [
      longField(256, width), longField(257, height), shortField(258, 8, 8, 8), shortField(259, COMPRESSION[colours]), shortField(262, 2),
      asciiField(270, `Aperio Image Library v11 \r\n${width}x${height} (${TILE}x${TILE}) J2K|AppMag = 20|MPP = 0.5`), shortField(277, 3), shortField(284, 1),
      longField(322, TILE), longField(323, TILE), longField(324, ...offsets), longField(325, ...tiles.map(({ length }) => length)),
    ] })
  }
  const { header, directories } = layOutTiff(images, at, KIND)
  const path = join(directory, 'jpeg2000.svs')
  await writeFile(path, Buffer.concat([header, ...parts, directories]))
  return path
}
