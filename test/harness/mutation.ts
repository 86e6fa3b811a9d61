import { PROTOCOL_VERSION } from '../../relay/wire/signaling.ts'
import { DTLS_PARAMETERS, publishParameters, RTP_CAPABILITIES } from './offer.ts'
import { HEARING, voiceParameters } from './voice.ts'

/** mulberry32: a small seeded generator, so that a failure can be repeated. */
export function randomSource(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const ID = '6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11'
const SEEDS: readonly object[] = [
  { type: 'createTransport' },
  { type: 'connectTransport', transportId: ID, dtlsParameters: DTLS_PARAMETERS },
  { type: 'restartIce', transportId: ID },
  { type: 'subscribe', transportId: ID, publicationId: ID, rtpCapabilities: RTP_CAPABILITIES },
  { type: 'watch', publicationId: ID, renditions: ['overview', 'tile-0-0'], prefetch: ['tile-1-0'] },
  { type: 'publish', ...publishParameters() },
  { type: 'openLink', paths: [{ name: 'main', localAddress: '127.0.0.1', rateBitsPerSecond: 100_000_000 }] },
  { type: 'publishLink', pyramid: publishParameters().pyramid, tracks: [{ flow: 1, ssrc: 1, renditionId: 'overview' }], stage: null },
  { type: 'reportSource', publicationId: ID, source: { state: 'live', framesPerSecond: 30 } },
  { type: 'reportUplink', publicationId: ID, bitsPerSecond: 40_000_000 },
  { type: 'moveStage', publicationId: ID, target: { x: 10, focus: -1, objective: '20x' }, rtpTimestamp: 1 },
  { type: 'claimStage' },
  { type: 'releaseStage' },
  { type: 'handOverStage', to: ID },
  { type: 'stopStage' },
  { type: 'reportStage', publicationId: ID, state: { x: 0, y: 0, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: 1, obeyed: { command: 1, rtpTimestamp: 1 } } },
  { type: 'pointAtImage', publicationId: ID, rtpTimestamp: 1, at: { x: 1.5, y: 2 } },
  { type: 'annotateImage', publicationId: ID, rtpTimestamp: 1, annotation: { id: ID, geometry: { kind: 'text', points: [{ x: 1, y: 2 }], text: 'x' } } },
  { type: 'removeImageAnnotation', publicationId: ID, id: ID },
  { type: 'readClock' },
  { type: 'readIceServers' },
  { type: 'readPreflight' },
  { type: 'loadTransport', transportId: ID, rtpCapabilities: RTP_CAPABILITIES, bitsPerSecond: 1_000_000, seconds: 1 },
  { type: 'reportPreflight', end: 'agent', results: [{ check: 'loss', colour: 'red', figure: 3.1, advice: 'lossy' }] },
  { type: 'reportExperience', publicationId: ID, framesPerSecond: 29.9, freezes: 1, longestFreezeMillis: 240, nativePixelRatio: 0.75, captureToGlassMillis: { p50: 110.5, p95: 180 } },
  { type: 'reportCapture', publicationId: ID, rtpTimestamp: 1, capturedAtMillis: 1_800_000_000_000.25 },
  { type: 'pointAtSlide', slideId: ID, at: { x: 10.5, y: -3 } },
  { type: 'leadSlide', lead: { slideId: ID, area: { x: 0, y: 0, width: 100, height: 50 } } },
  { type: 'createVoiceTransport', direction: 'send' },
  { type: 'connectVoiceTransport', transportId: ID, dtlsParameters: DTLS_PARAMETERS },
  { type: 'speak', transportId: ID, rtpParameters: voiceParameters(), isMicrophoneOpen: true },
  { type: 'hear', transportId: ID, producerIds: [ID], rtpCapabilities: HEARING },
  { type: 'setMicrophone', isOpen: true },
  { type: 'stopSpeaking' },
  { type: 'startRecording' },
  { type: 'stopRecording' },
  { type: 'openReplay', recordingId: ID },
  { type: 'controlReplay', publicationId: ID, isPlaying: true, positionMillis: 10.5, speed: 2 },
  { type: 'closeReplay' },
  { type: 'join', protocol: PROTOCOL_VERSION, invitation: 'a.b.c' },
]
const VALUES: readonly unknown[] = [null, true, -1, 0, 2 ** 53, 1e308, '', 'x', '\u0000', 'overview', [], {}, [[[[]]]], '🩻'.repeat(50), { __proto__: null }]

/** Changes one thing somewhere inside a value. */
function mutateValue(value: unknown, next: () => number): unknown {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)]!
  if (typeof value !== 'object' || value === null || next() < 0.1) return pick(VALUES)
  if (Array.isArray(value)) {
    const copy: unknown[] = [...(value as unknown[])]
    const index = Math.floor(next() * copy.length)
    if (next() < 0.3) copy.push(...copy.slice(0, 3))
    else copy[index] = mutateValue(copy[index], next)
    return copy
  }
  const entries = Object.entries(value)
  if (entries.length === 0 || next() < 0.1) return { ...value, [pick(['x', 'constructor', 'type', '__proto__'])]: pick(VALUES) }
  const [key, inner] = pick<[string, unknown]>(entries)
  if (next() < 0.2) return Object.fromEntries(entries.filter(([name]) => name !== key))
  return { ...value, [key]: mutateValue(inner, next) }
}

/** Breaks the text itself. */
function mutateText(text: string, next: () => number): string | Buffer {
  const at = Math.floor(next() * text.length)
  const choice = next()
  if (choice < 0.3) return text.slice(0, at)
  if (choice < 0.6) return text.slice(0, at) + String.fromCharCode(Math.floor(next() * 0xffff)) + text.slice(at + 1)
  if (choice < 0.8) return text.slice(0, at) + text.slice(at, at + 200).repeat(3) + text.slice(at)
  return Buffer.from(text)
}

/** A valid message with something changed in it, now and then nothing; or broken as a text. */
export function mutatedMessage(next: () => number, requestId: number): string | Buffer {
  const seed = SEEDS[Math.floor(next() * SEEDS.length)]!
  const message = { ...seed, requestId }
  if (next() < 0.15) return mutateText(JSON.stringify(message), next)
  let value: unknown = message
  const changes = next() < 0.1 ? 0 : 1 + Math.floor(next() * 3)
  for (let i = 0; i < changes; i++) value = mutateValue(value, next)
  return JSON.stringify(value)
}
