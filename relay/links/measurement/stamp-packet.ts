/**
 * Test packets of the Simple Two-Way Active Measurement Protocol, byte by byte.
 * A key chooses authenticated mode; without one it is unauthenticated mode.
 *
 * @see RFC 8762 section 4
 */
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'
import { millis } from '../../wire/units.ts'
import { readNtpTimestamp, readPtpTimestamp, writeNtpTimestamp } from './ntp-timestamp.ts'
import type { KeyObject } from 'node:crypto'
import type { Millis } from '../../wire/units.ts'

/** Where a Session-Reflector listens unless told otherwise. @see RFC 8762 section 4.1 */
export const STAMP_PORT = 862
/** A longer datagram is refused: no line of ours carries it whole. */
export const MAX_STAMP_BYTES = 9000

/** Offsets of fields; those of what was received exist in reflected packets only. @see RFC 8762 sections 4.2 and 4.3 */
interface Layout {
  readonly size: number
  readonly timestamp: number
  readonly errorEstimate: number
  readonly receiveTimestamp: number
  readonly senderSequenceNumber: number
  readonly senderTimestamp: number
  readonly senderErrorEstimate: number
  readonly senderTtl: number
}

/** Sections 4.2.1 and 4.3.1. The sequence number comes first in each of them. */
const UNAUTHENTICATED: Layout = { size: 44, timestamp: 4, errorEstimate: 12, receiveTimestamp: 16, senderSequenceNumber: 24, senderTimestamp: 28, senderErrorEstimate: 36, senderTtl: 40 }
/** Sections 4.2.2 and 4.3.2. */
const AUTHENTICATED: Layout = { size: 112, timestamp: 16, errorEstimate: 24, receiveTimestamp: 32, senderSequenceNumber: 48, senderTimestamp: 64, senderErrorEstimate: 72, senderTtl: 80 }
/** What the HMAC covers; the HMAC follows it. @see RFC 8762 section 4.4 */
const HMAC_OFFSET = 96
const HMAC_BYTES = 16

/** How good a clock's stamps are. @see RFC 4656 section 4.1.2 */
export interface ClockQuality {
  /** The clock follows UTC by an external source (S). */
  readonly isSynchronized: boolean
  readonly error: Millis
}

/** What the far end says of its clock. @see RFC 8186 section 2.3 */
export interface ErrorEstimate extends ClockQuality {
  /** Its stamps are PTPv2 truncated, not NTP (Z). Ours never are. */
  readonly isPtp: boolean
}

/** What a Session-Sender says. Timestamps are since the Unix epoch. */
export interface SenderPacket<Quality extends ClockQuality = ErrorEstimate> {
  readonly sequenceNumber: number
  readonly timestamp: Millis
  readonly errorEstimate: Quality
}

/** What a Session-Reflector answers. Timestamps are since the Unix epoch. */
export interface ReflectedPacket {
  /** Counted by a stateful reflector, copied from the request by a stateless one. */
  readonly sequenceNumber: number
  readonly timestamp: Millis
  readonly errorEstimate: ErrorEstimate
  readonly receiveTimestamp: Millis
  readonly senderSequenceNumber: number
  readonly senderTimestamp: Millis
  readonly senderErrorEstimate: ErrorEstimate
  /** TTL or Hop Limit with which the request arrived; 0 where the reflector could not see it. */
  readonly senderTtl: number
}

/** What the reflector adds to a request. */
export interface Reflection {
  /** Undefined in a stateless reflector, which repeats the sender's. */
  readonly sequenceNumber: number | undefined
  readonly receivedAt: Millis
  readonly sentAt: Millis
  readonly errorEstimate: ClockQuality
  readonly ttl: number
}

/** Why a datagram is no test packet. `corrupt`: an error estimate of zero, which RFC 4656 forbids. */
export type StampDefect = 'truncated' | 'oversize' | 'forged' | 'corrupt'

/** The shortest packet of a mode. */
export const stampBaseSize = (key: KeyObject | undefined): number => layoutFor(key).size

/** A key of authenticated mode. @param secret - Shared by both ends, 16 bytes at least. */
export function stampKey(secret: Uint8Array): KeyObject {
  if (secret.length < HMAC_BYTES) throw new Error('a STAMP key has 16 bytes at least')
  return createSecretKey(secret)
}

/**
 * Encodes a Session-Sender test packet.
 *
 * @param size - Bytes of the datagram; what exceeds the base size is padded with zeros.
 * @see RFC 8762 sections 4.2.1 and 4.2.2
 */
export function encodeSenderPacket(packet: SenderPacket<ClockQuality>, size: number, key: KeyObject | undefined): Uint8Array {
  const layout = layoutFor(key)
  if (size < layout.size || size > MAX_STAMP_BYTES) throw new Error(`a STAMP packet has ${layout.size} to ${MAX_STAMP_BYTES} bytes in this mode`)
  const datagram = new Uint8Array(size)
  const view = viewOf(datagram)
  view.setUint32(0, packet.sequenceNumber)
  writeNtpTimestamp(view, layout.timestamp, packet.timestamp)
  writeErrorEstimate(view, layout.errorEstimate, packet.errorEstimate)
  if (key !== undefined) sign(datagram, key)
  return datagram
}

/** Decodes and, given a key, authenticates a Session-Sender test packet. */
export function decodeSenderPacket(datagram: Uint8Array, key: KeyObject | undefined): SenderPacket | StampDefect {
  const defect = defectOf(datagram, key)
  if (defect !== undefined) return defect
  const view = viewOf(datagram)
  const layout = layoutFor(key)
  const errorEstimate = readErrorEstimate(view, layout.errorEstimate)
  if (errorEstimate === undefined) return 'corrupt'
  return { sequenceNumber: view.getUint32(0), timestamp: readTimestamp(view, layout.timestamp, errorEstimate), errorEstimate }
}

/**
 * Answers a request that {@link decodeSenderPacket} accepted, in as many bytes as the request has. What the sender
 * stamped is copied bit by bit, and so is all that follows the base packet: a TLV that comes back as it was sent,
 * with its U flag set, tells an extended sender that it was not understood (RFC 8972 section 4). The SSID is zeroed
 * with the rest of MBZ, which tells it the same.
 *
 * @see RFC 8762 sections 4.3.1 and 4.3.2
 */
export function encodeReflectedPacket(request: Uint8Array, reflection: Reflection, key: KeyObject | undefined): Uint8Array {
  const layout = layoutFor(key)
  const datagram = new Uint8Array(request.length)
  const view = viewOf(datagram)
  view.setUint32(0, reflection.sequenceNumber ?? viewOf(request).getUint32(0))
  writeNtpTimestamp(view, layout.timestamp, reflection.sentAt)
  writeErrorEstimate(view, layout.errorEstimate, reflection.errorEstimate)
  writeNtpTimestamp(view, layout.receiveTimestamp, reflection.receivedAt)
  datagram.set(request.subarray(0, 4), layout.senderSequenceNumber)
  datagram.set(request.subarray(layout.timestamp, layout.timestamp + 8), layout.senderTimestamp)
  datagram.set(request.subarray(layout.errorEstimate, layout.errorEstimate + 2), layout.senderErrorEstimate)
  view.setUint8(layout.senderTtl, reflection.ttl)
  datagram.set(request.subarray(layout.size), layout.size)
  if (key !== undefined) sign(datagram, key)
  return datagram
}

/** Decodes and, given a key, authenticates what a Session-Reflector answered. */
export function decodeReflectedPacket(datagram: Uint8Array, key: KeyObject | undefined): ReflectedPacket | StampDefect {
  const defect = defectOf(datagram, key)
  if (defect !== undefined) return defect
  const view = viewOf(datagram)
  const layout = layoutFor(key)
  const errorEstimate = readErrorEstimate(view, layout.errorEstimate)
  const senderErrorEstimate = readErrorEstimate(view, layout.senderErrorEstimate)
  if (errorEstimate === undefined || senderErrorEstimate === undefined) return 'corrupt'
  return {
    sequenceNumber: view.getUint32(0),
    timestamp: readTimestamp(view, layout.timestamp, errorEstimate),
    errorEstimate,
    receiveTimestamp: readTimestamp(view, layout.receiveTimestamp, errorEstimate),
    senderSequenceNumber: view.getUint32(layout.senderSequenceNumber),
    senderTimestamp: readTimestamp(view, layout.senderTimestamp, senderErrorEstimate),
    senderErrorEstimate,
    senderTtl: view.getUint8(layout.senderTtl),
  }
}

const layoutFor = (key: KeyObject | undefined): Layout => (key === undefined ? UNAUTHENTICATED : AUTHENTICATED)
const viewOf = (datagram: Uint8Array): DataView => new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength)

function defectOf(datagram: Uint8Array, key: KeyObject | undefined): StampDefect | undefined {
  if (datagram.length < layoutFor(key).size) return 'truncated'
  if (datagram.length > MAX_STAMP_BYTES) return 'oversize'
  if (key === undefined) return undefined
  return timingSafeEqual(hmacOf(datagram, key), datagram.subarray(HMAC_OFFSET, HMAC_OFFSET + HMAC_BYTES)) ? undefined : 'forged'
}

/** HMAC-SHA-256 truncated to 128 bits, over the first 96 octets. @see RFC 8762 section 4.4, RFC 4868 */
function hmacOf(datagram: Uint8Array, key: KeyObject): Uint8Array {
  return createHmac('sha256', key).update(datagram.subarray(0, HMAC_OFFSET)).digest().subarray(0, HMAC_BYTES)
}

function sign(datagram: Uint8Array, key: KeyObject): void {
  datagram.set(hmacOf(datagram, key), HMAC_OFFSET)
}

function readTimestamp(view: DataView, offset: number, { isPtp }: ErrorEstimate): Millis {
  return isPtp ? readPtpTimestamp(view, offset) : readNtpTimestamp(view, offset)
}

/** S, Z, 6 bits of scale, 8 of multiplier: error = multiplier × 2^(scale − 32) s. The multiplier MUST NOT be 0. */
function writeErrorEstimate(view: DataView, offset: number, { isSynchronized, error }: ClockQuality): void {
  const units = Math.max(1, (error / 1000) * 2 ** 32)
  const scale = Math.min(63, Math.max(0, Math.ceil(Math.log2(units / 255))))
  // Rounded up: an estimate may be too large, never too small.
  const multiplier = Math.min(255, Math.ceil(units / 2 ** scale))
  view.setUint8(offset, (isSynchronized ? 0x80 : 0) | scale)
  view.setUint8(offset + 1, multiplier)
}

function readErrorEstimate(view: DataView, offset: number): ErrorEstimate | undefined {
  const flags = view.getUint8(offset)
  const multiplier = view.getUint8(offset + 1)
  // RFC 4656 section 4.1.2: such a packet SHOULD be considered corrupt and discarded.
  if (multiplier === 0) return undefined
  return { isSynchronized: (flags & 0x80) !== 0, isPtp: (flags & 0x40) !== 0, error: millis(multiplier * 2 ** ((flags & 0x3f) - 32) * 1000) }
}
