/** An authenticator that does whatever a test asks of it: answers of browsers to WebAuthn, good and bad. */
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import { isoCBOR } from '@simplewebauthn/server/helpers'
import type { KeyObject } from 'node:crypto'
import type { AssertionBody, EnrolmentBody } from '../../relay/wire/sign-in.ts'

const FLAGS = { present: 0x01, verified: 0x04, attested: 0x40 }

/** What may be wrong with an answer. */
export interface Answering {
  readonly origin: string
  readonly rpId: string
  readonly challenge: string
  readonly counter?: number
  /** Whether the person unlocked the key. */
  readonly isVerified?: boolean
  readonly type?: string
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
const sha256 = (data: string | Uint8Array): Buffer => createHash('sha256').update(data).digest()

/** One key of one person. ECDSA P-256, no attestation. */
export class SoftAuthenticator {
  readonly id = randomBytes(32)
  readonly #key: KeyObject
  readonly #cose: Uint8Array

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    this.#key = privateKey
    this.#cose = isoCBOR.encode(new Map<number, number | Uint8Array>([[1, 2], [3, -7], [-1, 1], [-2, Buffer.from(x, 'base64url')], [-3, Buffer.from(y, 'base64url')]]))
  }

  create(answering: Answering): EnrolmentBody['credential'] {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(this.id.length)
    const attested = Buffer.concat([Buffer.alloc(16), length, this.id, this.#cose])
    const authData = this.#data({ type: 'webauthn.create', ...answering }, FLAGS.attested, attested)
    const attestationObject = isoCBOR.encode(new Map<string, string | Uint8Array | Map<string, string>>([['fmt', 'none'], ['attStmt', new Map()], ['authData', new Uint8Array(authData)]]))
    return { ...this.#named, response: { clientDataJSON: base64url(clientData({ type: 'webauthn.create', ...answering })), attestationObject: base64url(attestationObject), transports: ['internal'] } }
  }

  get(answering: Answering): AssertionBody['credential'] {
    const authenticatorData = this.#data(answering, 0)
    const client = clientData({ type: 'webauthn.get', ...answering })
    const signature = createSign('sha256').update(authenticatorData).update(sha256(client)).sign(this.#key)
    return { ...this.#named, response: { clientDataJSON: base64url(client), authenticatorData: base64url(authenticatorData), signature: base64url(signature) } }
  }

  get #named() {
    return { id: base64url(this.id), rawId: base64url(this.id), type: 'public-key' as const }
  }

  #data({ rpId, counter = 1, isVerified = true }: Answering, flags: number, attested: Uint8Array = new Uint8Array()): Buffer {
    const head = Buffer.alloc(5)
    head.writeUInt8(FLAGS.present | (isVerified ? FLAGS.verified : 0) | flags)
    head.writeUInt32BE(counter, 1)
    return Buffer.concat([sha256(rpId), head, attested])
  }
}

const clientData = ({ type, challenge, origin }: Answering): Buffer => Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }))
