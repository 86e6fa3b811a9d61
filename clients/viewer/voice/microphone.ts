/** Why there is no microphone: refused by the person or the browser, not there, used by another program, or a page without TLS, to which no browser gives one. */
export type MicrophoneRefusal = 'denied' | 'missing' | 'busy' | 'insecure'

/** A microphone that could not be had. */
export class MicrophoneError extends Error {
  override readonly name = 'MicrophoneError'
  readonly refusal: MicrophoneRefusal

  constructor(refusal: MicrophoneRefusal, options?: ErrorOptions) {
    super(`microphone ${refusal}`, options)
    this.refusal = refusal
  }
}

/** @param name - Of the exception that `getUserMedia` threw. @see W3C mediacapture-streams section 10.2 */
export function refusalOf(name: string): MicrophoneRefusal {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied'
    case 'NotReadableError':
    case 'AbortError':
      return 'busy'
    default:
      return 'missing'
  }
}

/**
 * Asks the person for the microphone.
 *
 * @param deviceId - Of the one that was chosen; empty for the browser's choice.
 * @throws {MicrophoneError}
 */
export async function openMicrophone(deviceId: string): Promise<MediaStreamTrack> {
  const devices = mediaDevices()
  if (devices === undefined) throw new MicrophoneError('insecure')
  try {
    const processing = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 }
    const stream = await devices.getUserMedia({ audio: { ...processing, ...(deviceId === '' ? {} : { deviceId: { exact: deviceId } }) } })
    const [track] = stream.getAudioTracks()
    if (track === undefined) throw new MicrophoneError('missing')
    return track
  } catch (cause) {
    if (cause instanceof MicrophoneError) throw cause
    throw new MicrophoneError(refusalOf(cause instanceof Error ? cause.name : ''), { cause })
  }
}

/** Undefined where the page has no right to devices at all. */
export const mediaDevices = (): MediaDevices | undefined => (navigator as { readonly mediaDevices?: MediaDevices }).mediaDevices
