/** The JPEG 2000 codec, in a worker of its own: a tile takes it tens of milliseconds. */
import openJpeg from '@cornerstonejs/codec-openjpeg/decodewasmjs'
import wasmUrl from '@cornerstonejs/codec-openjpeg/decodewasm?url'
import type { TileEncoding } from '../../../relay/wire/slide.ts'
import { jpeg2000Size } from './jpeg2000-size.ts'
import { toRgba } from './sample-planes.ts'

/** A tile to decode. */
export interface Jpeg2000Task {
  readonly id: number
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly photometric: TileEncoding['photometric']
  /** In pixels; a larger picture is not begun. */
  readonly mostSide: number
}

/** What came of it; null for what is no such picture. */
export interface Jpeg2000Answer {
  readonly id: number
  readonly picture: ImageData | null
}

const codec = openJpeg({ locateFile: () => wasmUrl })

async function decode({ bytes, photometric, mostSide }: Jpeg2000Task): Promise<ImageData> {
  // The codec allocates what the header claims.
  const { width, height } = jpeg2000Size(bytes) ?? { width: 0, height: 0 }
  if (!(width >= 1 && height >= 1 && width <= mostSide && height <= mostSide)) throw new RangeError('no tile is that large')
  const decoder = new (await codec).J2KDecoder()
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes)
    decoder.decode()
    const { bitsPerSample, componentCount } = decoder.getFrameInfo()
    return new ImageData(toRgba(decoder.getDecodedBuffer(), { width, height, bitsPerSample, components: componentCount, photometric }), width, height)
  } finally {
    decoder.delete()
  }
}

addEventListener('message', ({ data: task }: MessageEvent<Jpeg2000Task>) => {
  const answer = (picture: ImageData | null): void => {
    const message: Jpeg2000Answer = { id: task.id, picture }
    postMessage(message)
  }
  // Whatever the codec throws, numbers among it, the picture cannot be had.
  decode(task).then(answer, () => answer(null))
})
