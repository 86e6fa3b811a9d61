import { RelayFault } from '../../../relay/wire/fault.ts'
import { SLIDE_LIMITS } from '../../../relay/wire/slide.ts'
import type { TileEncoding } from '../../../relay/wire/slide.ts'
import type { Jpeg2000Answer, Jpeg2000Task } from './jpeg2000-worker.ts'

/** More tiles than that wait for nothing useful. */
const MAX_WAITING = 1024

/** Decodes JPEG 2000 in a worker, by OpenJPEG as WebAssembly. */
export class Jpeg2000Decoder {
  readonly #worker = new Worker(new URL('./jpeg2000-worker.ts', import.meta.url), { type: 'module' })
  readonly #waiting = new Map<number, { readonly resolve: (picture: ImageData) => void; readonly reject: (fault: RelayFault) => void }>()
  #lastId = 0

  constructor() {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Jpeg2000Answer>) => this.#answered(data))
    this.#worker.addEventListener('error', () => this.#fail())
  }

  /** @throws {RelayFault} `bad_slide` for what is no such picture; `unavailable` when the worker died; `overloaded`. */
  decode(bytes: Uint8Array<ArrayBuffer>, photometric: TileEncoding['photometric']): Promise<ImageData> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new RelayFault('overloaded', 'too many tiles to decode'))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      const task: Jpeg2000Task = { id, bytes, photometric, mostSide: SLIDE_LIMITS.tileSide }
      this.#worker.postMessage(task)
    })
  }

  close(): void {
    this.#worker.terminate()
    this.#fail()
  }

  #answered({ id, picture }: Jpeg2000Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (picture === null) waiting?.reject(new RelayFault('bad_slide', 'a tile that is no JPEG 2000'))
    else waiting?.resolve(picture)
  }

  #fail(): void {
    for (const { reject } of this.#waiting.values()) reject(new RelayFault('unavailable', 'the JPEG 2000 codec died'))
    this.#waiting.clear()
  }
}
