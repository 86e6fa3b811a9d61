import { imageOrigin } from '../view/viewport.ts'
import type { Point, Rect, Size, Viewport } from '../view/viewport.ts'
import type { FrameTexture } from './frame-texture.ts'
import { fragmentShader, VERTEX_SHADER } from './shaders.ts'
import type { Sampling, TextureLayout } from './shaders.ts'
import { yuvConversion } from './yuv-matrix.ts'

/** Around the image: nearly black, for a dark reading room. */
const BACKGROUND = [0.031, 0.035, 0.043] as const

/** Below this many device pixels per encoded pixel, samples are averaged. */
const AVERAGED_BELOW = 0.75

function samplingAt(magnification: Point): Sampling {
  if (magnification.x === 1 && magnification.y === 1) return 'exact'
  return magnification.x < AVERAGED_BELOW ? 'averaged' : 'interpolated'
}

interface Program {
  readonly program: WebGLProgram
  readonly uniform: (name: string) => WebGLUniformLocation | null
}

/** Draws frames at their places on the canvas. */
export class Painter {
  readonly #gl: WebGL2RenderingContext
  readonly #programs = new Map<string, Program>()
  #canvas: Size = { width: 1, height: 1 }
  #viewport: Viewport = { x: 0, y: 0, scale: 1 }

  constructor(gl: WebGL2RenderingContext) {
    this.#gl = gl
    gl.disable(gl.DITHER)
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE)
  }

  /** Starts a new picture. */
  begin(canvas: Size, viewport: Viewport): void {
    const gl = this.#gl
    this.#canvas = canvas
    this.#viewport = viewport
    gl.viewport(0, 0, canvas.width, canvas.height)
    gl.clearColor(...BACKGROUND, 1)
    gl.clear(gl.COLOR_BUFFER_BIT)
  }

  /** Draws a frame over the image region it shows. */
  paint(frame: FrameTexture, region: Rect): void {
    const gl = this.#gl
    frame.bind()
    const image = imageOrigin(this.#viewport, this.#canvas)
    const { scale } = this.#viewport
    // Neighbours compute their common border from the same numbers, so no pixel is drawn twice or never.
    const [left, right] = [image.x + region.x * scale, image.x + (region.x + region.width) * scale]
    const [top, bottom] = [image.y + region.y * scale, image.y + (region.y + region.height) * scale]
    const magnification = { x: (scale * region.width) / frame.width, y: (scale * region.height) / frame.height }
    const { program, uniform } = this.#program(frame.layout, samplingAt(magnification))
    gl.useProgram(program)
    gl.uniform4f(uniform('corners'), this.#clipX(left), this.#clipY(bottom), this.#clipX(right), this.#clipY(top))
    gl.uniform2f(uniform('origin'), left, top)
    gl.uniform1f(uniform('canvasHeight'), this.#canvas.height)
    gl.uniform2f(uniform('magnification'), magnification.x, magnification.y)
    gl.uniform2f(uniform('size'), frame.width, frame.height)
    if (frame.layout !== 'RGBA') {
      const { matrix, offset } = yuvConversion(frame.encoding)
      gl.uniformMatrix3fv(uniform('matrix'), false, matrix)
      gl.uniform3f(uniform('offset'), ...offset)
    }
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4)
  }

  /** Reads drawn pixels back: RGBA, rows from the top. Only in the task that drew them. */
  read(area: Rect): Uint8Array<ArrayBuffer> {
    const gl = this.#gl
    const pixels = new Uint8Array(area.width * area.height * 4)
    gl.readPixels(area.x, this.#canvas.height - area.y - area.height, area.width, area.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels)
    const rowBytes = area.width * 4
    const flipped = new Uint8Array(pixels.length)
    for (let row = 0; row < area.height; row++) {
      flipped.set(pixels.subarray(row * rowBytes, (row + 1) * rowBytes), (area.height - 1 - row) * rowBytes)
    }
    return flipped
  }

  #clipX(x: number): number {
    return (x / this.#canvas.width) * 2 - 1
  }

  #clipY(y: number): number {
    return 1 - (y / this.#canvas.height) * 2
  }

  #program(layout: TextureLayout, sampling: Sampling): Program {
    const key = `${layout} ${sampling}`
    const known = this.#programs.get(key)
    if (known !== undefined) return known
    const program = link(this.#gl, fragmentShader(layout, sampling))
    const locations = new Map<string, WebGLUniformLocation | null>()
    const uniform = (name: string): WebGLUniformLocation | null => {
      const cached = locations.get(name)
      if (cached !== undefined) return cached
      const location = this.#gl.getUniformLocation(program, name)
      locations.set(name, location)
      return location
    }
    this.#gl.useProgram(program)
    for (let unit = 0; unit < 3; unit++) this.#gl.uniform1i(uniform(`plane${unit}`), unit)
    this.#programs.set(key, { program, uniform })
    return { program, uniform }
  }
}

function link(gl: WebGL2RenderingContext, fragmentSource: string): WebGLProgram {
  const program = gl.createProgram()
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX_SHADER],
    [gl.FRAGMENT_SHADER, fragmentSource],
  ] as const) {
    const shader = gl.createShader(type)
    if (shader === null) throw new Error('the WebGL context was lost')
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
    gl.deleteShader(shader)
  }
  gl.linkProgram(program)
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) throw new Error(`shader: ${gl.getProgramInfoLog(program) ?? ''}`)
  return program
}
