/**
 * A procedurally drawn field that looks like a section stained with haematoxylin and eosin: pink
 * stroma with fibres, glands with white lumens and a rim of epithelium, nuclei with chromatin.
 *
 * Every pixel is a function of its position, so that bands of the field can be drawn on several cores
 * and fit together.
 */

/** Colours in sRGB. */
type Rgb = readonly [number, number, number]
const GLASS: Rgb = [244, 240, 245]
const STROMA_LIGHT: Rgb = [240, 190, 214]
const STROMA_DARK: Rgb = [205, 120, 165]
const EPITHELIUM: Rgb = [196, 130, 185]
const CHROMATIN_LIGHT: Rgb = [128, 92, 168]
const CHROMATIN_DARK: Rgb = [66, 40, 112]

/** A well-mixed 32-bit hash of a grid position. @see https://github.com/skeeto/hash-prospector (lowbias32) */
function hash(x: number, y: number, salt: number): number {
  let value = (Math.imul(x, 0x9e37_79b1) ^ Math.imul(y, 0x85eb_ca77) ^ Math.imul(salt, 0xc2b2_ae3d)) >>> 0
  value = Math.imul(value ^ (value >>> 16), 0x7feb_352d) >>> 0
  value = Math.imul(value ^ (value >>> 15), 0x846c_a68b) >>> 0
  return (value ^ (value >>> 16)) >>> 0
}

/** The same, from 0 to 1. */
const random = (x: number, y: number, salt: number): number => hash(x, y, salt) / 0x1_0000_0000

/** One line of value noise from 0 to 1: random values on a grid of `cell` pixels, smoothly joined. */
function noiseLine(line: Float32Array, y: number, cell: number, salt: number, weight: number): void {
  const row = Math.floor(y / cell)
  const fraction = y / cell - row
  const blend = fraction * fraction * (3 - 2 * fraction)
  const columns = Math.ceil(line.length / cell) + 1
  let left = 0
  for (let column = 0; column <= columns; column++) {
    const above = random(column, row, salt)
    const right = above + (random(column, row + 1, salt) - above) * blend
    const start = (column - 1) * cell
    for (let x = Math.max(start, 0); x < Math.min(start + cell, line.length); x++) {
      const across = (x - start) / cell
      line[x] = (line[x] ?? 0) + weight * (left + (right - left) * across * across * (3 - 2 * across))
    }
    left = right
  }
}

interface Gland {
  readonly x: number
  readonly y: number
  readonly radius: number
  readonly lumen: number
  readonly wobble: number
}

const GLAND_CELL = 1100
const GLAND_REACH = 620

/** Glands whose rim may touch the lines from `top` to `bottom`. */
function glandsNear(width: number, top: number, bottom: number): readonly Gland[] {
  const glands: Gland[] = []
  for (let row = Math.floor((top - GLAND_REACH) / GLAND_CELL); row <= Math.floor((bottom + GLAND_REACH) / GLAND_CELL); row++) {
    for (let column = -1; column <= Math.ceil(width / GLAND_CELL); column++) {
      if (random(column, row, 11) < 0.25) continue
      const radius = 220 + 260 * random(column, row, 12)
      glands.push({
        x: (column + 0.25 + 0.5 * random(column, row, 13)) * GLAND_CELL,
        y: (row + 0.25 + 0.5 * random(column, row, 14)) * GLAND_CELL,
        radius,
        lumen: radius * (0.35 + 0.35 * random(column, row, 15)),
        wobble: random(column, row, 16) * 6.28,
      })
    }
  }
  return glands
}

/** Distance from a gland's centre, in units of its wavy radius: below 1 is inside. */
function glandDepth(gland: Gland, x: number, y: number): number {
  const dx = x - gland.x
  const dy = y - gland.y
  const angle = Math.atan2(dy, dx)
  const waves = 1 + 0.09 * Math.sin(3 * angle + gland.wobble) + 0.05 * Math.sin(7 * angle - gland.wobble)
  return Math.hypot(dx, dy) / (gland.radius * waves)
}

const mix = (from: number, to: number, share: number): number => from + (to - from) * share

/** Draws lines `top` to `bottom` (exclusive) of a field `width` pixels wide, as packed RGB. */
export function drawTissue(width: number, top: number, bottom: number): Uint8Array {
  const pixels = new Uint8Array(width * (bottom - top) * 3)
  const glands = glandsNear(width, top, bottom)
  for (let y = top; y < bottom; y++) drawGround(pixels, width, top, y, glands)
  drawNuclei(pixels, width, top, bottom, glands)
  return pixels
}

function drawGround(pixels: Uint8Array, width: number, top: number, y: number, glands: readonly Gland[]): void {
  const density = new Float32Array(width)
  for (const [index, [cell, weight]] of ([[640, 0.5], [120, 0.28], [26, 0.14], [7, 0.08]] as const).entries()) {
    noiseLine(density, y, cell, index + 1, weight)
  }
  const near = glands.filter(gland => Math.abs(gland.y - y) < GLAND_REACH)
  let at = (y - top) * width * 3
  for (let x = 0; x < width; x++, at += 3) {
    const local = density[x] ?? 0
    const fibre = 0.5 + 0.5 * Math.sin(x * 0.045 + local * 34 + y * 0.028)
    // Clefts where the tissue tore away from the glass.
    const glass = Math.min(1, Math.max(0, (0.33 - local) * 14))
    const dark = Math.min(1, local * 0.85 + fibre * 0.22)
    let rim = 0
    let lumen = glass
    for (const gland of near) {
      if (Math.abs(gland.x - x) > GLAND_REACH) continue
      const depth = glandDepth(gland, x, y)
      if (depth > 1.06) continue
      rim = Math.max(rim, Math.min(1, (1.06 - depth) * 14))
      lumen = Math.max(lumen * (1 - rim), Math.min(1, Math.max(0, (gland.lumen / gland.radius - depth) * 24)))
    }
    for (let channel = 0; channel < 3; channel++) {
      const stroma = mix(STROMA_LIGHT[channel] ?? 0, STROMA_DARK[channel] ?? 0, dark)
      const tissue = mix(stroma, (EPITHELIUM[channel] ?? 0) + 30 * (local - 0.5), rim)
      pixels[at + channel] = mix(tissue, GLASS[channel] ?? 0, lumen)
    }
  }
}

const NUCLEUS_CELL = 30
const NUCLEUS_REACH = 26

function drawNuclei(pixels: Uint8Array, width: number, top: number, bottom: number, glands: readonly Gland[]): void {
  for (let row = Math.floor((top - NUCLEUS_REACH) / NUCLEUS_CELL) - 1; row * NUCLEUS_CELL < bottom + NUCLEUS_REACH; row++) {
    for (let column = 0; column * NUCLEUS_CELL < width; column++) {
      const x = (column + random(column, row, 21)) * NUCLEUS_CELL
      const y = (row + random(column, row, 22)) * NUCLEUS_CELL
      const gland = glands.find(candidate => Math.hypot(candidate.x - x, candidate.y - y) < GLAND_REACH && glandDepth(candidate, x, y) < 1)
      const inLumen = gland !== undefined && glandDepth(gland, x, y) < gland.lumen / gland.radius + 0.08
      // Epithelium is crowded, stroma is not.
      if (inLumen || random(column, row, 23) > (gland === undefined ? 0.3 : 0.92)) continue
      const angle = gland === undefined ? random(column, row, 24) * 3.14 : Math.atan2(y - gland.y, x - gland.x)
      const length = gland === undefined ? 8 + 12 * random(column, row, 25) : 11 + 6 * random(column, row, 25)
      const slimness = gland === undefined ? 0.25 + 0.4 * random(column, row, 26) : 0.5 + 0.3 * random(column, row, 26)
      drawNucleus(pixels, { width, top, bottom }, { x, y, angle, length, breadth: length * slimness, salt: hash(column, row, 27) })
    }
  }
}

interface Band {
  readonly width: number
  readonly top: number
  readonly bottom: number
}

interface Nucleus {
  readonly x: number
  readonly y: number
  readonly angle: number
  readonly length: number
  readonly breadth: number
  readonly salt: number
}

function drawNucleus(pixels: Uint8Array, band: Band, nucleus: Nucleus): void {
  const cos = Math.cos(nucleus.angle)
  const sin = Math.sin(nucleus.angle)
  const reach = Math.ceil(nucleus.length) + 1
  const strength = 0.72 + 0.26 * ((nucleus.salt & 0xff) / 255)
  for (let y = Math.max(band.top, Math.floor(nucleus.y - reach)); y < Math.min(band.bottom, nucleus.y + reach); y++) {
    for (let x = Math.max(0, Math.floor(nucleus.x - reach)); x < Math.min(band.width, nucleus.x + reach); x++) {
      const along = ((x - nucleus.x) * cos + (y - nucleus.y) * sin) / nucleus.length
      const across = ((y - nucleus.y) * cos - (x - nucleus.x) * sin) / nucleus.breadth
      const distance = along * along + across * across
      if (distance >= 1) continue
      const cover = Math.min(1, (1 - distance) * 4) * strength
      // Clumps of two or three pixels; the membrane is darker than what it holds.
      const clump = random(x >> 1, y >> 1, nucleus.salt) * 0.7 + (distance > 0.7 ? 0.3 : 0)
      const at = ((y - band.top) * band.width + x) * 3
      for (let channel = 0; channel < 3; channel++) {
        const chromatin = mix(CHROMATIN_LIGHT[channel] ?? 0, CHROMATIN_DARK[channel] ?? 0, clump)
        pixels[at + channel] = mix(pixels[at + channel] ?? 0, chromatin, cover)
      }
    }
  }
}
