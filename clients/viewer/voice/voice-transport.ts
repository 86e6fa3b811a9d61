import { Device } from 'mediasoup-client'
import type { types } from 'mediasoup-client'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { TransportId } from '../../../relay/wire/ids.ts'
import type { VoiceDirection } from '../../../relay/wire/signaling.ts'
import type { NodeVoice } from '../session/connection-part.ts'

/** A connection for voices one way, and what this browser knows of media. */
export interface VoiceConnection {
  readonly transportId: TransportId
  readonly transport: types.Transport
  readonly device: Device
}

/** How it is built. */
export interface VoiceOptions {
  /** Asked when a voice is sent: whether the microphone is open. */
  readonly isOpen?: () => boolean
  /** Media goes over a relay or not at all. */
  readonly relayOnly: boolean
}

/**
 * Builds one.
 *
 * @param onLost - It is beyond repair.
 * @throws {RelayFault} The node's code, or `unsupported_media` without usable WebRTC.
 */
export async function connectVoice(node: NodeVoice, direction: VoiceDirection, onLost: () => void, { isOpen, relayOnly }: VoiceOptions): Promise<VoiceConnection> {
  const device = await Device.factory().catch((cause: unknown) => {
    throw new RelayFault('unsupported_media', 'this browser has no usable WebRTC', { cause })
  })
  const { routerRtpCapabilities, transportId, iceServers, ...offer } = await node.ask('createVoiceTransport', { direction })
  await device.load({ routerRtpCapabilities: routerRtpCapabilities as types.RtpCapabilities })
  const options = { id: transportId, ...offer, iceServers, ...(relayOnly ? { iceTransportPolicy: 'relay' } : {}) } as types.TransportOptions
  const transport = direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options)
  transport.on('connect', ({ dtlsParameters }, done, failed) => {
    node.ask('connectVoiceTransport', { transportId, dtlsParameters }).then(done, failed)
  })
  transport.on('produce', ({ rtpParameters }, done, failed) => {
    // The same shape by another name: mediasoup's own types leave codec parameters open.
    const asked = node.ask('speak', { transportId, rtpParameters: rtpParameters, isMicrophoneOpen: isOpen?.() ?? false })
    asked.then(({ producerId }) => done({ id: producerId }), failed)
  })
  transport.on('connectionstatechange', state => {
    if (state === 'failed' || state === 'closed') onLost()
  })
  return { transportId: TransportId.parse(transportId), transport, device }
}
