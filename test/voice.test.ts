import { t } from 'tap'
import { VOICE_LIMITS } from '../relay/wire/signaling.ts'
import { NodeUnderTest } from './harness/node-under-test.ts'
import { DTLS_PARAMETERS, publishParameters, RTP_CAPABILITIES } from './harness/offer.ts'
import { RawClient } from './harness/raw-client.ts'
import { HEARING, speak, voiceParameters } from './harness/voice.ts'
import type { RawMessage } from './harness/raw-client.ts'
import type { Speaker } from '../relay/wire/signaling.ts'

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

/** A viewer and a technician in a consultation of their own. */
async function pair(consultation: string) {
  const viewer = await RawClient.join(await under.invite('viewer', { consultation, member: 'reader' }))
  const technician = await RawClient.join(await under.invite('technician', { consultation, member: 'hands' }))
  return { viewer, technician, async [Symbol.asyncDispose]() {
    await Promise.all([viewer[Symbol.asyncDispose](), technician[Symbol.asyncDispose]()])
  } }
}

const speakersOf = (message: RawMessage): Speaker[] => (message.type === 'voicesChanged' ? (message['speakers'] as Speaker[]) : [])
const saysThat = (predicate: (speakers: Speaker[]) => boolean) => (message: RawMessage) => message.type === 'voicesChanged' && predicate(speakersOf(message))

t.test('one speaks, the other hears of it and is offered the voice', async t => {
  await using both = await pair('offered')
  const { viewer, technician } = both
  const { producerId, transportId } = await speak(technician)
  t.same(await technician.ok('connectVoiceTransport', { transportId, dtlsParameters: DTLS_PARAMETERS }), {})
  const [speaker] = speakersOf(await viewer.find(saysThat(speakers => speakers.length === 1)))
  t.match(speaker, { memberId: 'hands', producerId, isMicrophoneOpen: true, isSpeaking: false })
  const offer = await viewer.ok('createVoiceTransport', { direction: 'receive' })
  t.match(offer, { iceServers: [], routerRtpCapabilities: { codecs: Array } })
  const hear = { transportId: offer['transportId'], producerIds: [producerId], rtpCapabilities: HEARING }
  t.match(await viewer.ok('hear', hear), { voices: [{ producerId, rtpParameters: { codecs: [{ mimeType: 'audio/opus' }] } }] })
  t.same(await viewer.ok('hear', hear), { voices: [] }, 'once')
  await using late = await RawClient.join(await under.invite('viewer', { consultation: 'offered', member: 'late' }))
  t.match(speakersOf(await late.find(({ type }) => type === 'voicesChanged')), [{ producerId }], 'who joins later is told')
})

t.test('a closed microphone is told of, and so is the end of a voice', async t => {
  await using both = await pair('closing')
  const { viewer, technician } = both
  const { producerId } = await speak(technician, false)
  await viewer.find(saysThat(speakers => speakers[0]?.isMicrophoneOpen === false))
  t.same(await technician.ok('setMicrophone', { isOpen: true }), {})
  await viewer.find(saysThat(speakers => speakers[0]?.isMicrophoneOpen === true))
  t.same(await technician.ok('stopSpeaking'), {})
  await viewer.find(saysThat(speakers => speakers.length === 0), 1)
  const { transportId } = await viewer.ok('createVoiceTransport', { direction: 'receive' })
  t.same(await viewer.ok('hear', { transportId, producerIds: [producerId], rtpCapabilities: HEARING }), { voices: [] }, 'nobody is heard who is gone')
  t.equal(await technician.refusal('setMicrophone', { isOpen: true }), 'wrong_state')
  t.same(await technician.ok('stopSpeaking'), {}, 'twice')
  const again = await speak(technician)
  t.equal(await under.metric('kenkyo_voices') >= 1, true, 'and counted')
  await viewer.find(saysThat(speakers => speakers[0]?.producerId === again.producerId))
  const since = viewer.received.length
  await technician[Symbol.asyncDispose]()
  await viewer.find(saysThat(speakers => speakers.length === 0), since)
})

t.test('what is no voice is refused with a code', async t => {
  await using both = await pair('refusals')
  const { viewer } = both
  const ID = '6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11'
  const rtpParameters = voiceParameters()
  t.equal(await viewer.refusal('speak', { transportId: ID, rtpParameters, isMicrophoneOpen: true }), 'wrong_state', 'without a transport')
  t.equal(await viewer.refusal('createVoiceTransport', { direction: 'sideways' }), 'bad_message')
  const { transportId } = await viewer.ok('createVoiceTransport', { direction: 'send' })
  const refused = async (parameters: object, code: string, why: string) =>
    t.equal(await viewer.refusal('speak', { transportId, rtpParameters: { ...rtpParameters, ...parameters }, isMicrophoneOpen: true }), code, why)
  const [opus] = rtpParameters.codecs
  await refused({ codecs: [{ mimeType: 'video/H264', payloadType: 96, clockRate: 90_000, parameters: {}, rtcpFeedback: [] }] }, 'unsupported_media', 'video')
  await refused({ codecs: [{ ...opus, mimeType: 'audio/PCMU', clockRate: 8000 }] }, 'unsupported_media', 'another codec')
  await refused({ codecs: [{ ...opus, channels: 1 }] }, 'unsupported_media', 'Opus as no browser has it')
  await refused({ codecs: [opus, { ...opus, payloadType: 112 }] }, 'unsupported_media', 'two codecs')
  await refused({ encodings: [{ ssrc: 1 }, { ssrc: 2 }] }, 'unsupported_media', 'two streams')
  await refused({ codecs: [] }, 'bad_message', 'no codec')
  t.equal(await viewer.refusal('hear', { transportId, producerIds: [ID], rtpCapabilities: HEARING }), 'wrong_state', 'on the way out')
  await viewer.ok('speak', { transportId, rtpParameters, isMicrophoneOpen: true })
  t.equal(await viewer.refusal('speak', { transportId, rtpParameters: voiceParameters(2002), isMicrophoneOpen: true }), 'wrong_state', 'two voices')
  t.equal(await viewer.refusal('connectVoiceTransport', { transportId: ID, dtlsParameters: DTLS_PARAMETERS }), 'not_found')
  await viewer.ok('connectVoiceTransport', { transportId, dtlsParameters: DTLS_PARAMETERS })
  t.equal(await viewer.refusal('connectVoiceTransport', { transportId, dtlsParameters: DTLS_PARAMETERS }), 'wrong_state', 'twice')
  await viewer.ok('createVoiceTransport', { direction: 'send' })
  t.equal(await viewer.refusal('speak', { transportId, rtpParameters, isMicrophoneOpen: true }), 'not_found', 'on a closed transport')
  await using scanner = await RawClient.join(await under.invite('scanner', { consultation: 'refusals', member: 'scanner' }))
  t.equal(await scanner.refusal('createVoiceTransport', { direction: 'send' }), 'wrong_role')
})

t.test('nobody hears himself, or the microscope by the door of voices', async t => {
  await using both = await pair('own')
  const { viewer, technician } = both
  await using microscope = await RawClient.join(await under.invite('microscope', { consultation: 'own', member: 'scope' }))
  const { publicationId } = await microscope.ok('publish', publishParameters())
  const media = await viewer.ok('createTransport')
  const { consumers } = await viewer.ok('subscribe', { transportId: media['transportId'], publicationId, rtpCapabilities: RTP_CAPABILITIES })
  const own = await speak(viewer)
  const { producerId } = await speak(technician)
  await viewer.find(saysThat(speakers => speakers.length === 2))
  const { transportId } = await viewer.ok('createVoiceTransport', { direction: 'receive' })
  t.equal(await viewer.refusal('hear', { transportId, producerIds: [producerId], rtpCapabilities: RTP_CAPABILITIES }), 'unsupported_media', 'without Opus')
  const video = (consumers as { producerId: string }[]).map(offer => offer.producerId)
  const { voices } = await viewer.ok('hear', { transportId, producerIds: [own.producerId, ...video, producerId], rtpCapabilities: HEARING })
  t.same((voices as { producerId: string }[]).map(voice => voice.producerId), [producerId])
})

t.test('a flood of voice is turned away, and the picture goes on', async t => {
  await using both = await pair('flood')
  const { viewer, technician } = both
  await using microscope = await RawClient.join(await under.invite('microscope', { consultation: 'flood', member: 'scope' }))
  const { publicationId } = await microscope.ok('publish', publishParameters())
  const { transportId } = await viewer.ok('createTransport')
  await viewer.ok('subscribe', { transportId, publicationId, rtpCapabilities: RTP_CAPABILITIES })
  const codes: (string | undefined)[] = []
  for (let opened = 0; opened < VOICE_LIMITS.transportBurst + 3; opened++) codes.push((await technician.request('createVoiceTransport', { direction: 'send' })).fault?.code)
  t.ok(codes.includes('rate_limited') && codes[0] === undefined, codes.join())
  await using speaker = await RawClient.join(await under.invite('technician', { consultation: 'flood', member: 'more' }))
  await speak(speaker)
  const since = viewer.received.length
  const changes: RawMessage[] = []
  while (changes.at(-1)?.ok !== false) changes.push(await speaker.request('setMicrophone', { isOpen: changes.length % 2 === 0 }))
  t.equal(changes.at(-1)?.fault?.code, 'rate_limited')
  const told = viewer.received.slice(since).filter(({ type }) => type === 'voicesChanged').length
  t.ok(told < changes.length / 2, `told ${told} times of ${changes.length}`)
  t.match(await viewer.ok('watch', { publicationId, renditions: ['overview'], prefetch: [] }), { flowing: ['overview'] })
})

t.test('as many speak as may', async t => {
  const link = await under.invite('viewer', { consultation: 'crowd' })
  const clients = await Promise.all(Array.from({ length: VOICE_LIMITS.speakers + 1 }, () => RawClient.join(link)))
  const [last, ...others] = clients
  await Promise.all(others.map(client => speak(client)))
  const { transportId } = await last!.ok('createVoiceTransport', { direction: 'send' })
  t.equal(await last!.refusal('speak', { transportId, rtpParameters: voiceParameters(), isMicrophoneOpen: true }), 'overloaded')
  await others[0]!.ok('stopSpeaking')
  t.ok(await last!.ok('speak', { transportId, rtpParameters: voiceParameters(), isMicrophoneOpen: true }), 'in the place of another')
  await Promise.all(clients.map(client => client[Symbol.asyncDispose]()))
})

t.test('of many who begin to speak at the same moment, as many do as may', async t => {
  const links = await Promise.all(Array.from({ length: VOICE_LIMITS.speakers + 4 }, (_, index) => under.invite('viewer', { consultation: 'choir', member: `voice-${index}` })))
  const clients = await Promise.all(links.map(link => RawClient.join(link)))
  t.teardown(() => Promise.all(clients.map(client => client[Symbol.asyncDispose]())))
  const ready = await Promise.all(clients.map(async client => ({ client, ...(await client.ok('createVoiceTransport', { direction: 'send' })) as { transportId: string } })))
  const replies = await Promise.all(ready.map(({ client, transportId }, index) => client.request('speak', { transportId, rtpParameters: voiceParameters(100_000 + index), isMicrophoneOpen: true })))
  t.equal(replies.filter(({ ok }) => ok).length, VOICE_LIMITS.speakers)
  t.same([...new Set(replies.filter(({ ok }) => !ok).map(({ fault }) => fault?.code))], ['overloaded'])
})
