import type { YuvEncoding } from './yuv-matrix.ts'

/** Where one colour plane lies in a {@link PlaneFrame}. */
export interface Plane {
  readonly offset: number
  readonly stride: number
  readonly width: number
  readonly height: number
}

/** A frame copied out of the decoder's memory. */
export interface PlaneFrame {
  readonly kind: 'planes'
  readonly width: number
  readonly height: number
  /** Luma, then chroma: one interleaved plane (NV12) or two (I420). */
  readonly planes: readonly Plane[]
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly encoding: YuvEncoding
}

/** A frame as the browser gave it, for a GPU to take over. */
export interface OpaqueFrame {
  readonly kind: 'texture'
  readonly width: number
  readonly height: number
  readonly frame: VideoFrame | ImageBitmap
}

/** A decoded frame that waits to be drawn. Whoever holds it gives it back to {@link FrameHold.release} once. */
export type HeldFrame = PlaneFrame | OpaqueFrame

/** Buffers kept for reuse; more are left to the garbage collector. */
const POOL_SIZE = 96

/** Makes decoded frames wait without keeping the decoder's own buffers longer than a copy takes. */
export class FrameHold {
  readonly #free: Uint8Array<ArrayBuffer>[] = []
  /** Frames held now. */
  #held = 0

  get held(): number {
    return this.#held
  }

  /** Takes a frame over. Planar frames are copied and closed at once; others are kept as they are. */
  async hold(frame: VideoFrame, wantsPlanes: boolean): Promise<HeldFrame> {
    const format = frame.format
    if (!wantsPlanes || (format !== 'I420' && format !== 'NV12')) return this.holdOpaque(frame)
    try {
      return await this.#copy(frame, format)
    } finally {
      frame.close()
    }
  }

  /** Takes a frame over as it is. */
  holdOpaque(frame: VideoFrame | ImageBitmap): OpaqueFrame {
    this.#held++
    const isVideoFrame = 'displayWidth' in frame
    const width = isVideoFrame ? frame.displayWidth : frame.width
    const height = isVideoFrame ? frame.displayHeight : frame.height
    return { kind: 'texture', width, height, frame }
  }

  release(held: HeldFrame): void {
    this.#held--
    if (held.kind === 'texture') held.frame.close()
    else if (this.#free.length < POOL_SIZE) this.#free.push(held.bytes)
  }

  async #copy(frame: VideoFrame, format: 'I420' | 'NV12'): Promise<PlaneFrame> {
    const width = frame.visibleRect?.width ?? frame.codedWidth
    const height = frame.visibleRect?.height ?? frame.codedHeight
    const { matrix, fullRange } = frame.colorSpace
    const bytes = this.#buffer(frame.allocationSize())
    const layout = await frame.copyTo(bytes)
    const chromaWidth = Math.ceil(width / 2)
    const chromaHeight = Math.ceil(height / 2)
    const planes = layout.map(({ offset, stride }, index) => ({
      offset,
      stride: index > 0 && format === 'NV12' ? stride / 2 : stride,
      width: index === 0 ? width : chromaWidth,
      height: index === 0 ? height : chromaHeight,
    }))
    this.#held++
    return { kind: 'planes', width, height, planes, bytes, encoding: { matrix, fullRange } }
  }

  #buffer(size: number): Uint8Array<ArrayBuffer> {
    const index = this.#free.findIndex(buffer => buffer.byteLength === size)
    return index < 0 ? new Uint8Array(size) : (this.#free.splice(index, 1)[0] ?? new Uint8Array(size))
  }
}
