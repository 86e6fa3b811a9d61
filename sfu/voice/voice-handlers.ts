import type { IceServer } from '../../relay/wire/webrtc.ts'
import type { Handlers } from '../session.ts'
import type { VoiceDesk, VoiceMember } from './voice-desk.ts'

type VoiceRequest = 'createVoiceTransport' | 'connectVoiceTransport' | 'speak' | 'stopSpeaking' | 'hear' | 'setMicrophone'

/** What a viewer or a technician asks of voices. @param iceServers - Relays that its connections may go by. */
export const voiceHandlers = (desk: () => VoiceDesk, member: VoiceMember, iceServers: () => IceServer[]): Pick<Handlers<'viewer'>, VoiceRequest> => ({
  createVoiceTransport: async request => ({ ...(await desk().createTransport(member, request)), iceServers: iceServers() }),
  connectVoiceTransport: async request => {
    await desk().connect(member, request)
    return {}
  },
  speak: async request => ({ producerId: await desk().speak(member, request) }),
  stopSpeaking: () => {
    desk().stopSpeaking(member)
    return {}
  },
  hear: request => desk().hear(member, request),
  setMicrophone: async ({ isOpen }) => {
    await desk().setMicrophone(member, isOpen)
    return {}
  },
})
