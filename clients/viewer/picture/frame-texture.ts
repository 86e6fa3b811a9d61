import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { FrameHold, HeldFrame, PlaneFrame } from './frame-hold.ts'
import type { TextureLayout } from './shaders.ts'
import type { YuvEncoding } from './yuv-matrix.ts'

/** The textures of one rendition: its latest frame, uploaded when it is first drawn. */
export class FrameTexture {
  readonly #gl: WebGL2RenderingContext
  readonly #hold: FrameHold
  #textures: readonly WebGLTexture[] = []
  #shape = ''
  #pending: HeldFrame | undefined
  #layout: TextureLayout = 'RGBA'
  #encoding: YuvEncoding = { matrix: null, fullRange: null }
  #width = 0
  #height = 0
  #rtpTimestamp: RtpTimestamp

  constructor(gl: WebGL2RenderingContext, hold: FrameHold, rtpTimestamp: RtpTimestamp) {
    this.#gl = gl
    this.#hold = hold
    this.#rtpTimestamp = rtpTimestamp
  }

  get layout(): TextureLayout {
    return this.#layout
  }
  get encoding(): YuvEncoding {
    return this.#encoding
  }
  /** Encoded size in pixels. */
  get width(): number {
    return this.#width
  }
  get height(): number {
    return this.#height
  }
  get rtpTimestamp(): RtpTimestamp {
    return this.#rtpTimestamp
  }

  /** Makes `frame` the one to draw, and owns it. An opaque frame is uploaded at once: it may hold a decoder's buffer. */
  put(frame: HeldFrame, rtpTimestamp: RtpTimestamp): void {
    this.#dropPending()
    this.#pending = frame
    this.#rtpTimestamp = rtpTimestamp
    this.#width = frame.width
    this.#height = frame.height
    if (frame.kind === 'texture') this.#upload()
  }

  /** Binds plane `i` to texture unit `i`, uploading first what is not there yet. */
  bind(): void {
    this.#upload()
    this.#textures.forEach((texture, unit) => {
      this.#gl.activeTexture(this.#gl.TEXTURE0 + unit)
      this.#gl.bindTexture(this.#gl.TEXTURE_2D, texture)
    })
  }

  dispose(): void {
    this.#dropPending()
    this.#deleteTextures()
  }

  #dropPending(): void {
    if (this.#pending !== undefined) this.#hold.release(this.#pending)
    this.#pending = undefined
  }

  #upload(): void {
    const frame = this.#pending
    if (frame === undefined) return
    try {
      if (frame.kind === 'planes') this.#uploadPlanes(frame)
      else this.#uploadOpaque(frame.frame)
    } finally {
      this.#dropPending()
    }
  }

  #uploadOpaque(frame: VideoFrame | ImageBitmap): void {
    const gl = this.#gl
    this.#layout = 'RGBA'
    this.#reshape('opaque', 1)
    gl.activeTexture(gl.TEXTURE0)
    gl.bindTexture(gl.TEXTURE_2D, this.#textures[0] ?? null)
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, frame)
  }

  #uploadPlanes(frame: PlaneFrame): void {
    const gl = this.#gl
    this.#layout = frame.planes.length === 2 ? 'NV12' : 'I420'
    this.#encoding = frame.encoding
    const isNew = this.#reshape(`${this.#layout} ${frame.width}x${frame.height}`, frame.planes.length)
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1)
    frame.planes.forEach((plane, unit) => {
      const isPair = unit > 0 && this.#layout === 'NV12'
      gl.activeTexture(gl.TEXTURE0 + unit)
      gl.bindTexture(gl.TEXTURE_2D, this.#textures[unit] ?? null)
      if (isNew) gl.texStorage2D(gl.TEXTURE_2D, 1, isPair ? gl.RG8 : gl.R8, plane.width, plane.height)
      gl.pixelStorei(gl.UNPACK_ROW_LENGTH, plane.stride)
      const format = isPair ? gl.RG : gl.RED
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, plane.width, plane.height, format, gl.UNSIGNED_BYTE, frame.bytes, plane.offset)
    })
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0)
  }

  /** New textures when the shape changed. */
  #reshape(shape: string, count: number): boolean {
    if (shape === this.#shape) return false
    const gl = this.#gl
    this.#deleteTextures()
    this.#shape = shape
    this.#textures = Array.from({ length: count }, () => {
      const texture = gl.createTexture()
      gl.bindTexture(gl.TEXTURE_2D, texture)
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.LINEAR)
      for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE)
      return texture
    })
    return true
  }

  #deleteTextures(): void {
    for (const texture of this.#textures) this.#gl.deleteTexture(texture)
    this.#textures = []
    this.#shape = ''
  }
}
