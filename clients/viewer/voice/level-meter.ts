/** What counts as silence, in dBFS; full scale is 0. */
const FLOOR_DECIBELS = -60

/** How loud samples of −1 to 1 are: 0 for silence, 1 for full scale, even in decibels. */
export function levelOf(samples: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < samples.length; index++) sum += (samples[index] ?? 0) ** 2
  if (sum === 0) return 0
  const decibels = 10 * Math.log10(sum / samples.length)
  return Math.min(1, Math.max(0, 1 - decibels / FLOOR_DECIBELS))
}

/** Reads how loud a track is. */
export class LevelMeter {
  readonly #context = new AudioContext()
  readonly #analyser = new AnalyserNode(this.#context, { fftSize: 1024 })
  readonly #samples = new Float32Array(this.#analyser.fftSize)

  constructor(track: MediaStreamTrack) {
    new MediaStreamAudioSourceNode(this.#context, { mediaStream: new MediaStream([track]) }).connect(this.#analyser)
    // It is opened by a click; a browser that does not count it as one measures nothing.
    void this.#context.resume().catch(() => undefined)
  }

  /** Of the last 20 ms or so, 0 to 1. */
  read(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples)
    return levelOf(this.#samples)
  }

  close(): void {
    void this.#context.close().catch(() => undefined)
  }
}
