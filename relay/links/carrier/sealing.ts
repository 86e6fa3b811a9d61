import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync } from 'node:crypto'
import { HEADER_BYTES, TAG_BYTES, writeHeader } from './datagram.ts'
import type { KeyObject } from 'node:crypto'
import type { Millis } from '../../wire/units.ts'
import type { DatagramHeader } from './datagram.ts'

const CIPHER = 'aes-128-gcm'
const SECRET_BYTES = 32
const KEY_BYTES = 16
const IV_BYTES = 12
/** Far below 2^23 packets, at which the confidentiality of AES-128-GCM wears thin. @see RFC 9001 section 6.6 */
export const REKEY_PACKETS = 2 ** 22
const REKEY_AFTER = 30 * 60_000

/** Which end of a link: the one that opened it, or the one that was asked. */
export type LinkRole = 'initiator' | 'responder'

/** Keys of one direction in one epoch. */
interface EpochKeys {
  readonly epoch: number
  readonly key: KeyObject
  readonly iv: Buffer
  /** The next epoch's secret is made from this one, and this one cannot be made from that. */
  readonly secret: Buffer
}

const expand = (secret: Buffer, label: string, length: number): Buffer => Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `kenkyo link 1 ${label}`, length))

function epochKeys(secret: Buffer, epoch: number): EpochKeys {
  return { epoch, secret, key: createSecretKey(expand(secret, 'key', KEY_BYTES)), iv: expand(secret, 'iv', IV_BYTES) }
}

const nextEpoch = ({ secret, epoch }: EpochKeys): EpochKeys => epochKeys(expand(secret, 'update', SECRET_BYTES), epoch + 1)

/** The secret of everything that `role` sends. @see RFC 5869 */
const directionSecret = (shared: Buffer, role: LinkRole): Buffer => expand(shared, role, SECRET_BYTES)

/**
 * IV, path and packet number: no two datagrams of one key have the same. Paths have number spaces of their own.
 *
 * @param value - Where it is written; a cipher copies it at once.
 */
function writeNonce(value: Buffer, iv: Buffer, path: number, packetNumber: number): Buffer {
  iv.copy(value)
  value[3] = (value[3] ?? 0) ^ path
  const high = Math.floor(packetNumber / 0x1_0000_0000)
  value.writeUInt16BE(value.readUInt16BE(6) ^ high, 6)
  value.writeUInt32BE((value.readUInt32BE(8) ^ packetNumber % 0x1_0000_0000) >>> 0, 8)
  return value
}

/** A datagram in the pieces that a socket sends together. */
export type SealedDatagram = readonly [header: Buffer, ciphertext: Buffer, tag: Buffer]

/** Seals what one end sends, and changes the key now and then. @see RFC 5116, RFC 9001 section 6 for the scheme of updates */
export class Sealer {
  #keys: EpochKeys
  readonly #nonce = Buffer.alloc(IV_BYTES)
  #sealed = 0
  #since: Millis | undefined

  /** @param shared - 32 bytes that both ends know and nobody else. */
  constructor(shared: Buffer, role: LinkRole) {
    this.#keys = epochKeys(directionSecret(shared, role), 0)
  }

  /** Key changes so far. */
  get epoch(): number {
    return this.#keys.epoch
  }

  /** Seals one plaintext under a packet number that was never used on this path. */
  seal(association: number, path: number, packetNumber: number, plaintext: Buffer, now: Millis): SealedDatagram {
    this.#since ??= now
    if (++this.#sealed > REKEY_PACKETS || now - this.#since > REKEY_AFTER) this.rekey(now)
    const { key, iv, epoch } = this.#keys
    const header = writeHeader({ epoch, path, association, packetNumber })
    const cipher = createCipheriv(CIPHER, key, writeNonce(this.#nonce, iv, path, packetNumber))
    cipher.setAAD(header)
    const ciphertext = cipher.update(plaintext)
    cipher.final()
    return [header, ciphertext, cipher.getAuthTag()]
  }

  /** From the next datagram on under a new key, of which the old one says nothing. */
  rekey(now: Millis): void {
    this.#keys = nextEpoch(this.#keys)
    this.#sealed = 1
    this.#since = now
  }
}

/** Opens what the far end sealed; knows its present key, the one before and the one after. */
export class Opener {
  #current: EpochKeys
  #next: EpochKeys
  #previous: EpochKeys | undefined
  readonly #nonce = Buffer.alloc(IV_BYTES)

  /** @param role - Of the end that seals. */
  constructor(shared: Buffer, role: LinkRole) {
    this.#current = epochKeys(directionSecret(shared, role), 0)
    this.#next = nextEpoch(this.#current)
  }

  /** Key changes of the far end so far. */
  get epoch(): number {
    return this.#current.epoch
  }

  /** @returns The plaintext; undefined for what the far end never sealed so, or too long ago. */
  open(datagram: Buffer, { epoch, path, packetNumber }: DatagramHeader): Buffer | undefined {
    const keys = [this.#current, this.#next, this.#previous].find(candidate => candidate !== undefined && (candidate.epoch & 0xff) === epoch)
    if (keys === undefined) return undefined
    const end = datagram.length - TAG_BYTES
    const decipher = createDecipheriv(CIPHER, keys.key, writeNonce(this.#nonce, keys.iv, path, packetNumber))
    decipher.setAAD(datagram.subarray(0, HEADER_BYTES))
    decipher.setAuthTag(datagram.subarray(end))
    const plaintext = decipher.update(datagram.subarray(HEADER_BYTES, end))
    try {
      decipher.final()
    } catch {
      // Forged, or damaged on the way: the tag says no more than that.
      return undefined
    }
    if (keys === this.#next) this.#advance()
    return plaintext
  }

  #advance(): void {
    this.#previous = this.#current
    this.#current = this.#next
    this.#next = nextEpoch(this.#current)
  }
}
