import { write } from 'sdp-transform'
import { RelayFault } from '../../relay/wire/fault.ts'
import { candidateLines } from './foreign-answer.ts'
import type { AnswerTransport } from '../sdp-bridge.ts'
import type { ForeignOffer } from './foreign-offer.ts'

/** Media type of what {@link readIceFragment} reads. @see RFC 8840 section 9 */
export const ICE_FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag'

/** What a client says of its side of ICE after its offer. */
export interface IceFragment {
  /** Names its ICE session, where it says so. */
  readonly iceUfrag: string | undefined
  readonly hasPassword: boolean
  readonly candidates: number
}

/** ice-char. @see RFC 8839 section 5.4 */
const UFRAG = /^[A-Za-z0-9+/]{4,256}$/
const PASSWORD = /^[A-Za-z0-9+/]{22,256}$/
const LINE = /^(m=[\w]+ \d+ .+|a=[\w-]+(:.*)?|[a-z]=.*)$/
const MAX_LINES = 512

/**
 * Reads a fragment of trickle ICE. Candidates are only counted: the node is ICE-lite and waits for the
 * client's checks, wherever they come from.
 *
 * @throws {RelayFault} `bad_message` when it is malformed. @see RFC 8840 section 4.4
 */
export function readIceFragment(body: string): IceFragment {
  const lines = body.split(/\r\n|\n/).filter(line => line !== '')
  if (lines.length === 0 || lines.length > MAX_LINES || !lines.every(line => LINE.test(line))) throw malformed()
  const values = (name: string): string[] => lines.filter(line => line.startsWith(`a=${name}:`)).map(line => line.slice(name.length + 3))
  const ufrags = new Set(values('ice-ufrag'))
  const passwords = new Set(values('ice-pwd'))
  if (ufrags.size > 1 || passwords.size > 1) throw malformed()
  const [iceUfrag] = ufrags
  const [password] = passwords
  if (iceUfrag !== undefined && !UFRAG.test(iceUfrag)) throw malformed()
  if (password !== undefined && !PASSWORD.test(password)) throw malformed()
  const candidates = lines.filter(line => line.startsWith('a=candidate:')).length
  if (iceUfrag === undefined && candidates === 0 && !lines.includes('a=end-of-candidates')) throw malformed()
  return { iceUfrag, hasPassword: password !== undefined, candidates }
}

const malformed = (): RelayFault => new RelayFault('bad_message', 'the body is no fragment of trickle ICE')

/** What the node says of its side after an ICE restart. */
export function writeIceFragment(offer: ForeignOffer, { iceParameters, iceCandidates }: Pick<AnswerTransport, 'iceParameters' | 'iceCandidates'>): string {
  const { index, mid, codec } = offer.video
  const section = {
    type: 'video', port: 9, protocol: offer.lines[index]?.protocol ?? 'UDP/TLS/RTP/SAVPF', payloads: String(codec.payloadType), rtp: [], fmtp: [], mid,
    iceUfrag: iceParameters.usernameFragment, icePwd: iceParameters.password,
    candidates: candidateLines(iceCandidates), endOfCandidates: 'end-of-candidates' as const,
  }
  const text = write({
    version: 0, origin: { username: '-', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '0.0.0.0' }, name: '-', timing: { start: 0, stop: 0 },
    icelite: 'ice-lite',
    ...(offer.isBundled ? { groups: [{ type: 'BUNDLE', mids: mid }] } : {}),
    media: [section],
  })
  // A fragment has none of the lines that every description has. @see RFC 8840 section 4.4.1
  return text.split('\r\n').filter(line => !/^[vost]=/.test(line)).join('\r\n')
}
