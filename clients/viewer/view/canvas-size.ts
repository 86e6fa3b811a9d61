import type { Size } from './viewport.ts'

/** A device pixel box may differ from CSS pixels times ratio by rounding at both edges; by more only under emulation. */
const ROUNDING_PIXELS = 2

/**
 * Watches the size of a canvas, or of what holds one, in device pixels: exactly where the browser knows it
 * (`devicePixelContentBoxSize`), else as CSS pixels times the device pixel ratio, rounded.
 *
 * @returns A function that stops watching.
 */
export function watchCanvasSize(canvas: HTMLElement, onSize: (size: Size, devicePixelRatio: number) => void): () => void {
  const observer = new ResizeObserver(entries => {
    const entry = entries.at(-1)
    if (entry === undefined) return
    const ratio = globalThis.devicePixelRatio
    const exact = 'devicePixelContentBoxSize' in entry ? entry.devicePixelContentBoxSize[0] : undefined
    const width = deviceLength(exact?.inlineSize, entry.contentRect.width * ratio)
    const height = deviceLength(exact?.blockSize, entry.contentRect.height * ratio)
    if (width > 0 && height > 0) onSize({ width, height }, ratio)
  })
  try {
    observer.observe(canvas, { box: 'device-pixel-content-box' })
  } catch {
    // Safari knows no device pixel box and throws.
    observer.observe(canvas)
  }
  return () => observer.disconnect()
}

/** Chromium's emulated device scale factor changes the ratio but not the device pixel box. */
function deviceLength(exact: number | undefined, computed: number): number {
  return exact !== undefined && Math.abs(exact - computed) <= ROUNDING_PIXELS ? exact : Math.round(computed)
}
