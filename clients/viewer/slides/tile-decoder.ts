import { RelayFault } from '../../../relay/wire/fault.ts'
import type { SlideLevel } from '../../../relay/wire/slide.ts'
import { jpegCompleter, jpegFrame } from '../../../relay/wire/tile-jpeg.ts'
import type { Jpeg2000Decoder } from './jpeg2000-decoder.ts'

/** What slides are seen on: a tile that the scanner left out is glass. */
const GLASS = '#f4f4f4'
const REFUSED = { ground: '#2a1614', line: '#b0685f' } as const
/** Distance of hatching, in tile pixels. */
const HATCH = 32

/** Decodes whole tiles of a slide; JPEG by the browser, JPEG 2000 by a codec that is fetched when one comes. */
export class TileDecoder {
  readonly #completers = new WeakMap<SlideLevel, (tile: Uint8Array) => Uint8Array<ArrayBuffer>>()
  #jpeg2000: Promise<Jpeg2000Decoder> | undefined

  /** @throws {RelayFault} `bad_slide` for what is no such picture; `unavailable` when the codec cannot be fetched. */
  async decode(bytes: Uint8Array<ArrayBuffer>, shape: SlideLevel): Promise<CanvasRenderingContext2D> {
    const context = canvasOf(shape)
    if (shape.encoding.compression === 'jpeg') {
      const picture = await this.#decodeJpeg(bytes, shape)
      context.drawImage(picture, 0, 0)
      picture.close()
      return context
    }
    const picture = await (await this.#codec()).decode(bytes, shape.encoding.photometric)
    checkSize(picture, shape)
    context.putImageData(picture, 0, 0)
    return context
  }

  close(): void {
    void this.#jpeg2000?.then(codec => codec.close())
  }

  async #decodeJpeg(bytes: Uint8Array, shape: SlideLevel): Promise<ImageBitmap> {
    let complete = this.#completers.get(shape)
    if (complete === undefined) {
      complete = jpegCompleter(shape.encoding)
      this.#completers.set(shape, complete)
    }
    const whole = complete(bytes)
    // Before anything is decoded: a few bytes can claim a picture of gigabytes.
    checkSize(jpegFrame(whole), shape)
    try {
      return await createImageBitmap(new Blob([whole], { type: 'image/jpeg' }), { colorSpaceConversion: 'none' })
    } catch (cause) {
      throw new RelayFault('bad_slide', 'a tile that is no JPEG', { cause })
    }
  }

  async #codec(): Promise<Jpeg2000Decoder> {
    try {
      this.#jpeg2000 ??= import('./jpeg2000-decoder.ts').then(module => new module.Jpeg2000Decoder())
      return await this.#jpeg2000
    } catch (cause) {
      this.#jpeg2000 = undefined
      throw new RelayFault('unavailable', 'the JPEG 2000 codec cannot be fetched', { cause })
    }
  }
}

/** A tile at the rim may be cut to the level's size; a larger one than a tile is none. */
function checkSize({ width, height }: { readonly width: number; readonly height: number }, { tileWidth, tileHeight }: SlideLevel): void {
  if (width > tileWidth || height > tileHeight) throw new RelayFault('bad_slide', 'a tile of another size')
}

/** A tile that the format leaves out. */
export function blankTile(shape: SlideLevel): CanvasRenderingContext2D {
  const context = canvasOf(shape)
  context.fillStyle = GLASS
  context.fillRect(0, 0, shape.tileWidth, shape.tileHeight)
  return context
}

/** What stands where a tile was refused. */
export function refusedTile(shape: SlideLevel): CanvasRenderingContext2D {
  const context = canvasOf(shape)
  const { tileWidth: width, tileHeight: height } = shape
  context.fillStyle = REFUSED.ground
  context.fillRect(0, 0, width, height)
  context.strokeStyle = REFUSED.line
  context.lineWidth = 2
  context.beginPath()
  for (let at = -height; at < width; at += HATCH) {
    context.moveTo(at, height)
    context.lineTo(at + height, 0)
  }
  context.stroke()
  context.strokeRect(1, 1, width - 2, height - 2)
  return context
}

function canvasOf({ tileWidth: width, tileHeight: height }: SlideLevel): CanvasRenderingContext2D {
  const context = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d')
  if (context === null) throw new RelayFault('unavailable', 'no canvas')
  return context
}
