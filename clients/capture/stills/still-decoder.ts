import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { tilePosition } from '../../../relay/wire/pyramid.ts'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { unpackH264 } from '../annex-b.ts'
import { blankPicture, i420Bytes } from '../specimen.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { ImageRect, Pyramid } from '../../../relay/wire/pyramid.ts'
import type { StampedFrame } from '../encoded-frame.ts'
import type { I420Picture } from '../specimen.ts'

/** A decoder that has not ended by then is given up, in milliseconds. */
const DECODE_MILLIS = 20_000
/** Decoding waits for whoever makes live pictures. */
const PRIORITY = 10
const BLACK = { luma: 16, chroma: 128 }

/** An image that decoders put together. */
export interface DecodedImage {
  /** I420. */
  readonly planes: Uint8Array
  /** Tiles of which nothing was there, or nothing could be decoded: they are black. */
  readonly missing: RenditionId[]
}

/**
 * Puts an image together from its full-resolution tiles, one decoder after the other.
 *
 * @param framesOf - What leads to the image in a tile; undefined when it is not here.
 * @returns undefined when no tile is here.
 */
export async function decodeImage(pyramid: Pyramid, framesOf: (id: RenditionId) => readonly StampedFrame[] | undefined, ffmpegPath: string): Promise<DecodedImage | undefined> {
  const tiles = pyramid.renditions.filter(({ id }) => tilePosition(id) !== undefined).map(({ id, region }) => ({ id, region, frames: framesOf(id) }))
  if (tiles.every(({ frames }) => frames === undefined)) return undefined
  const image = blankPicture(pyramid.width, pyramid.height)
  image.luma.fill(BLACK.luma)
  image.cb.fill(BLACK.chroma)
  image.cr.fill(BLACK.chroma)
  const missing: RenditionId[] = []
  for (const { id, region, frames } of tiles) {
    const pixels = frames === undefined ? undefined : await decodeLast(frames, region, ffmpegPath).catch(() => undefined)
    if (pixels === undefined) missing.push(id)
    else place(pixels, region, image)
    await yieldToEvents()
  }
  return missing.length === tiles.length ? undefined : { planes: new Uint8Array(image.luma.buffer), missing }
}

/** The last of these frames, decoded: I420. @throws {RelayFault} `encoder_failed` when it cannot be. */
async function decodeLast(frames: readonly StampedFrame[], { width, height }: ImageRect, ffmpegPath: string): Promise<Uint8Array> {
  const args = ['-hide_banner', '-loglevel', 'error', '-threads', '1', '-f', 'h264', '-i', 'pipe:0', '-fps_mode', 'passthrough', '-pix_fmt', 'yuv420p', '-f', 'rawvideo', 'pipe:1']
  const child = spawn(ffmpegPath, args, { stdio: ['pipe', 'pipe', 'ignore'], timeout: DECODE_MILLIS, killSignal: 'SIGKILL' })
  const failed = new Promise<never>((_resolve, reject) => child.once('error', cause => reject(new RelayFault('encoder_failed', 'the decoder does not start', { cause }))))
  if (child.pid !== undefined) setPriority(child.pid, PRIORITY)
  child.stdin.on('error', () => undefined)
  child.stdin.end(Buffer.concat(frames.map(frame => unpackH264(frame.payloads))))
  return Promise.race([failed, lastPicture(child.stdout, i420Bytes(width, height), frames.length)])
}

/** Keeps one picture at a time. */
async function lastPicture(output: AsyncIterable<Buffer>, pictureBytes: number, pictures: number): Promise<Uint8Array> {
  const picture = new Uint8Array(pictureBytes)
  let at = 0
  let whole = 0
  for await (const piece of output) {
    for (let done = 0; done < piece.length;) {
      const share = Math.min(piece.length - done, pictureBytes - at)
      picture.set(piece.subarray(done, done + share), at)
      done += share
      at += share
      if (at < pictureBytes) continue
      at = 0
      whole++
    }
  }
  if (whole !== pictures || at !== 0) throw new RelayFault('encoder_failed', 'not every frame could be decoded')
  return picture
}

function place(pixels: Uint8Array, { x, y, width, height }: ImageRect, image: I420Picture): void {
  const tile = { luma: pixels.subarray(0, width * height), cb: pixels.subarray(width * height, (width * height * 5) / 4), cr: pixels.subarray((width * height * 5) / 4) }
  for (let line = 0; line < height; line++) image.luma.set(tile.luma.subarray(line * width, (line + 1) * width), (y + line) * image.width + x)
  for (const plane of ['cb', 'cr'] as const) {
    for (let line = 0; line < height / 2; line++) {
      image[plane].set(tile[plane].subarray((line * width) / 2, ((line + 1) * width) / 2), ((y / 2 + line) * image.width + x) / 2)
    }
  }
}
