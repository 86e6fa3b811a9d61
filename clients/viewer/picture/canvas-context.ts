import type { UploadPath } from './messages.ts'

/** A WebGL2 context and what it runs on. */
export interface CanvasContext {
  readonly gl: WebGL2RenderingContext
  readonly renderer: string
  readonly maxTextureSize: number
  /** The upload path that suits this renderer. */
  readonly upload: UploadPath
}

/** Names of renderers that run on the CPU. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i

/** Opens WebGL2 on a canvas; undefined where there is none. */
export function openCanvas(canvas: OffscreenCanvas): CanvasContext | undefined {
  const gl = canvas.getContext('webgl2', {
    alpha: false,
    antialias: false,
    depth: false,
    stencil: false,
    powerPreference: 'high-performance',
  })
  if (gl === null) return undefined
  const info = gl.getExtension('WEBGL_debug_renderer_info')
  const renderer = String(gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER))
  const maxTextureSize = Number(gl.getParameter(gl.MAX_TEXTURE_SIZE))
  // A software renderer converts a video frame pixel by pixel; planes go through memory twenty times faster.
  return { gl, renderer, maxTextureSize, upload: SOFTWARE.test(renderer) ? 'planes' : 'texture' }
}
