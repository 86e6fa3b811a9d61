import type { RawClient } from './raw-client.ts'

const OPUS = { mimeType: 'audio/opus', clockRate: 48_000, channels: 2 }
const LEVEL = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level'

/** What a browser would send of one voice. */
export const voiceParameters = (ssrc = 1001) => ({
  mid: '0',
  codecs: [{ ...OPUS, payloadType: 111, parameters: { useinbandfec: 1 }, rtcpFeedback: [] }],
  headerExtensions: [{ uri: LEVEL, id: 1 }],
  encodings: [{ ssrc }],
  rtcp: { cname: 'somebody' },
})

/** What a browser can hear. */
export const HEARING = {
  codecs: [{ kind: 'audio', ...OPUS, preferredPayloadType: 100 }],
  headerExtensions: [{ kind: 'audio', uri: LEVEL, preferredId: 10 }],
}

/** Makes a transport and speaks on it. @returns The ids of both. */
export async function speak(client: RawClient, isMicrophoneOpen = true): Promise<{ transportId: string; producerId: string }> {
  const { transportId } = await client.ok('createVoiceTransport', { direction: 'send' })
  const { producerId } = await client.ok('speak', { transportId, rtpParameters: voiceParameters(), isMicrophoneOpen })
  return { transportId: transportId as string, producerId: producerId as string }
}
