/** A width and a height in pixels; which pixels, the field that holds it says. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** A point; in image pixels or canvas pixels, as the name of the variable says. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** An area; in image pixels or canvas pixels, as the name of the variable says. */
export interface Rect extends Point, Size {}

/** What part of the image is on the canvas, and how large. */
export interface Viewport {
  /** The image point, in image pixels, at the centre of the canvas. */
  readonly x: number
  readonly y: number
  /** Device pixels per image pixel; exactly 1 shows one image pixel on one device pixel. */
  readonly scale: number
}

/** The largest magnification, in device pixels per image pixel. */
export const MAX_SCALE = 8

/** A free zoom (pinch) that comes so close to 1:1 lands on it. */
const STICKY_RATIO = 1.03

/** The scale at which the whole image just fits the canvas. */
export function fitScale(image: Size, canvas: Size): number {
  return Math.min(canvas.width / image.width, canvas.height / image.height)
}

/** The smallest scale: the whole field, or 1:1 where the canvas is larger than the image. */
export function minScale(image: Size, canvas: Size): number {
  return Math.min(fitScale(image, canvas), 1)
}

/** The largest scale: {@link MAX_SCALE}, or the whole field where a small image is blown up further. */
export function maxScale(image: Size, canvas: Size): number {
  return Math.max(fitScale(image, canvas), MAX_SCALE)
}

/** The whole field, centred. */
export function fit(image: Size, canvas: Size): Viewport {
  return settle({ x: image.width / 2, y: image.height / 2, scale: fitScale(image, canvas) }, image, canvas)
}

/** Where the image's top left corner lies on the canvas, in device pixels; whole pixels at 1:1. */
export function imageOrigin(viewport: Viewport, canvas: Size): Point {
  return { x: canvas.width / 2 - viewport.x * viewport.scale, y: canvas.height / 2 - viewport.y * viewport.scale }
}

/** The image point under a canvas point; it may lie outside the image. */
export function imagePoint(viewport: Viewport, canvas: Size, at: Point): Point {
  return {
    x: viewport.x + (at.x - canvas.width / 2) / viewport.scale,
    y: viewport.y + (at.y - canvas.height / 2) / viewport.scale,
  }
}

/** The part of the image that is on the canvas, in image pixels. */
export function visibleRect(viewport: Viewport, image: Size, canvas: Size): Rect {
  const topLeft = imagePoint(viewport, canvas, { x: 0, y: 0 })
  const bottomRight = imagePoint(viewport, canvas, { x: canvas.width, y: canvas.height })
  const x = Math.max(0, topLeft.x)
  const y = Math.max(0, topLeft.y)
  return {
    x,
    y,
    width: Math.max(0, Math.min(image.width, bottomRight.x) - x),
    height: Math.max(0, Math.min(image.height, bottomRight.y) - y),
  }
}

/**
 * Multiplies the scale, keeping the image point under `at` where it is.
 *
 * A step never jumps over 1:1: native pixels are what this viewer is for, so zooming stops there once.
 */
export function zoomAt(viewport: Viewport, image: Size, canvas: Size, zoom: { readonly factor: number; readonly at: Point }): Viewport {
  return scaleAt(viewport, image, canvas, { scale: stopAtNative(viewport.scale, viewport.scale * zoom.factor), at: zoom.at })
}

/** Sets the scale, keeping the image point under `at` where it is. */
export function scaleAt(viewport: Viewport, image: Size, canvas: Size, zoom: { readonly scale: number; readonly at: Point }): Viewport {
  const fixed = imagePoint(viewport, canvas, zoom.at)
  const scale = Math.min(maxScale(image, canvas), Math.max(minScale(image, canvas), zoom.scale))
  return settle(
    {
      x: fixed.x - (zoom.at.x - canvas.width / 2) / scale,
      y: fixed.y - (zoom.at.y - canvas.height / 2) / scale,
      scale,
    },
    image,
    canvas,
  )
}

/** A scale from a continuous gesture: exactly 1 when it is nearly so. */
export function stickToNative(scale: number): number {
  return scale < STICKY_RATIO && scale > 1 / STICKY_RATIO ? 1 : scale
}

function stopAtNative(from: number, to: number): number {
  return (from < 1 && to > 1) || (from > 1 && to < 1) ? 1 : to
}

/** Moves the picture by device pixels: positive `x` moves it to the right. */
export function pan(viewport: Viewport, image: Size, canvas: Size, by: Point): Viewport {
  return settle(
    { ...viewport, x: viewport.x - by.x / viewport.scale, y: viewport.y - by.y / viewport.scale },
    image,
    canvas,
  )
}

/**
 * The nearest viewport that is allowed: scale within its limits, no empty margin where the image is
 * larger than the canvas, the image centred where it is smaller, and at exactly 1:1 a whole number of
 * device pixels between canvas and image, so that one image pixel is one device pixel.
 */
export function settle(viewport: Viewport, image: Size, canvas: Size): Viewport {
  const scale = Math.min(maxScale(image, canvas), Math.max(minScale(image, canvas), viewport.scale))
  return {
    x: settleAxis(viewport.x, scale, image.width, canvas.width),
    y: settleAxis(viewport.y, scale, image.height, canvas.height),
    scale,
  }
}

function settleAxis(centre: number, scale: number, imageLength: number, canvasLength: number): number {
  const half = canvasLength / 2 / scale
  // A tolerance, because the fit scale times the image rarely is the canvas to the last bit.
  const isSmaller = imageLength * scale <= canvasLength + 1e-6
  const clamped = isSmaller ? imageLength / 2 : Math.min(imageLength - half, Math.max(half, centre))
  if (scale !== 1) return clamped
  return canvasLength / 2 - Math.round(canvasLength / 2 - clamped)
}
