/** A factor for the badge: as many digits as tell ×1.04 from ×1. */
export function formatFactor(factor: number): string {
  return factor < 10 ? String(Number(factor.toFixed(2))) : factor.toFixed(0)
}

/** An age in seconds: tenths while they matter. */
export function formatAge(seconds: number): string {
  return seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)
}

/** A bit rate for people. */
export function formatBitRate(bitsPerSecond: number): string {
  return bitsPerSecond >= 1e6 ? `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s` : `${(bitsPerSecond / 1e3).toFixed(0)} kbit/s`
}

/** Width and height for people. */
export function formatSize(size: { readonly width: number; readonly height: number }): string {
  return `${size.width} × ${size.height}`
}

/** A place on the slide: micrometres up to a millimetre, then millimetres to the micrometre. */
export function formatPlace(micrometres: number): string {
  return Math.abs(micrometres) < 1000 ? `${micrometres.toFixed(1)} µm` : `${(micrometres / 1000).toFixed(3)} mm`
}

/** A step with its sign. */
export function formatStep(step: number): string {
  return step < 0 ? `−${-step}` : `+${step}`
}
