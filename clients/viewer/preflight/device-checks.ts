import type { PreflightMeasurement } from '../../../relay/wire/preflight.ts'

/** Nine tiles and the overview: what a view at native pixels takes. */
const DECODERS = 10
const WANTED_FRAMES_PER_SECOND = DECODERS * 30
const TILE = { width: 1280, height: 720 }
/** What agents encode by default. */
const CODEC = 'avc1.42E01F'
const SAMPLE_FRAMES = 10
const DECODE_MS = 2000
const LISTEN_MS = 1500
/** Of full scale: below it a microphone is muted or unplugged. */
const SILENCE_RMS = 0.0005
/** Frames that one decoder may owe. */
const MOST_QUEUED = 8

/** How many bits the display shows of a pixel, and whether it covers sRGB. */
export function readColour(): PreflightMeasurement['colour'] {
  return { bits: screen.colorDepth, coversSrgb: matchMedia('(color-gamut: srgb)').matches }
}

/** Listens for a moment. @returns null where the page may not ask at all. */
export async function listenToMicrophone(): Promise<PreflightMeasurement['microphone']> {
  // Not there in pages that came in the clear, whatever the types say.
  const devices = navigator.mediaDevices as MediaDevices | undefined
  if (devices === undefined) return null
  let stream: MediaStream
  try {
    stream = await devices.getUserMedia({ audio: true })
  } catch (error) {
    const name = error instanceof DOMException ? error.name : ''
    return name === 'NotFoundError' || name === 'NotReadableError' ? 'none' : name === 'NotAllowedError' ? 'denied' : null
  }
  const context = new AudioContext()
  try {
    await context.resume()
    const analyser = context.createAnalyser()
    context.createMediaStreamSource(stream).connect(analyser)
    const samples = new Float32Array(analyser.fftSize)
    let loudest = 0
    for (const until = performance.now() + LISTEN_MS; performance.now() < until; ) {
      await new Promise(resolve => setTimeout(resolve, 50))
      analyser.getFloatTimeDomainData(samples)
      loudest = Math.max(loudest, Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length))
    }
    return loudest > SILENCE_RMS ? 'heard' : 'silent'
  } finally {
    for (const track of stream.getTracks()) track.stop()
    await context.close()
  }
}

/** Decodes as many tiles beside each other as a view takes, of a sample that this browser encodes itself. @returns null where it cannot make one. */
export async function measureDecoders(): Promise<PreflightMeasurement['decoder']> {
  if (!('VideoDecoder' in globalThis)) return null
  if ((await VideoDecoder.isConfigSupported({ codec: CODEC })).supported !== true) return 'none'
  const chunks = await encodeSample()
  if (chunks.length < SAMPLE_FRAMES) return null
  let decoded = 0
  const decoders = Array.from({ length: DECODERS }, () => {
    const output = (frame: VideoFrame): void => {
      decoded++
      frame.close()
    }
    const decoder = new VideoDecoder({ output, error: () => undefined })
    decoder.configure({ codec: CODEC, optimizeForLatency: true })
    return decoder
  })
  const beganAt = performance.now()
  let turn = 0
  while (performance.now() - beganAt < DECODE_MS && decoders.every(({ state }) => state === 'configured')) {
    for (const decoder of decoders) {
      const chunk = chunks[turn % chunks.length]
      if (chunk !== undefined && decoder.decodeQueueSize < MOST_QUEUED) decoder.decode(chunk)
    }
    // Of several decoders none may run ahead: all are at the same frame.
    if (decoders.every(({ decodeQueueSize }) => decodeQueueSize < MOST_QUEUED)) turn++
    // More than the line brings is not asked for.
    const due = ((turn + 1) * 1000) / 30 - (performance.now() - beganAt)
    await new Promise(resolve => setTimeout(resolve, Math.max(0, due)))
  }
  const seconds = (performance.now() - beganAt) / 1000
  for (const decoder of decoders) if (decoder.state !== 'closed') decoder.close()
  return { framesPerSecond: Math.min(WANTED_FRAMES_PER_SECOND, decoded / seconds), wanted: WANTED_FRAMES_PER_SECOND }
}

/** A keyframe and what follows, with something to see in each. */
async function encodeSample(): Promise<EncodedVideoChunk[]> {
  const config: VideoEncoderConfig = { codec: CODEC, ...TILE, bitrate: 2_300_000, framerate: 30, avc: { format: 'annexb' }, latencyMode: 'realtime' }
  const isSupported = 'VideoEncoder' in globalThis && (await VideoEncoder.isConfigSupported(config)).supported === true
  const context = new OffscreenCanvas(TILE.width, TILE.height).getContext('2d')
  if (!isSupported || context === null) return []
  const chunks: EncodedVideoChunk[] = []
  const encoder = new VideoEncoder({ output: chunk => void chunks.push(chunk), error: () => undefined })
  encoder.configure(config)
  for (let index = 0; index < SAMPLE_FRAMES; index++) {
    for (let dot = 0; dot < 400; dot++) {
      context.fillStyle = `hsl(${(dot * 37) % 360} 60% ${30 + ((dot * 7) % 50)}%)`
      context.fillRect((dot * 97 + index * 5) % TILE.width, (dot * 61) % TILE.height, 40, 30)
    }
    const frame = new VideoFrame(context.canvas, { timestamp: index * 33_333 })
    encoder.encode(frame, { keyFrame: index === 0 })
    frame.close()
  }
  // An encoder that failed leaves too few chunks, which says it.
  await encoder.flush().catch(() => undefined)
  if (encoder.state !== 'closed') encoder.close()
  return chunks
}
