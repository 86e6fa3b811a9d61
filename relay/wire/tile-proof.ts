import { z } from 'zod'
import { RelayFault } from './fault.ts'
import type { ProofStep } from './slide.ts'
import type { TilePosition } from './tile-order.ts'

/** What is hashed begins with one of these, so that no tile can pass for an inner node. @see RFC 9162 section 2.1.1 */
export const LEAF_PREFIX = 0
export const NODE_PREFIX = 1
const HASH_BYTES = 32
/** 2^32 tiles below chunks, and as many chunks. */
const MAX_STEPS = 64

/** What a leaf is the SHA-256 of, before the stored bytes of the tile: prefix, level, column and row (three 32-bit numbers, big endian). A tile proves its place, too. */
export function leafHeader(level: number, { column, row }: TilePosition): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  header[0] = LEAF_PREFIX
  view.setUint32(1, level)
  view.setUint32(5, column)
  view.setUint32(9, row)
  return header
}

/** A proof as text: a byte for the side (0 left, 1 right) and 32 of hash for each step, base64url. */
export const encodeProof = (steps: readonly ProofStep[]): string =>
  toBase64Url(joined(steps.flatMap(({ side, hash }) => [Uint8Array.of(side === 'left' ? 0 : 1), hash])))

/** @throws {RelayFault} `bad_message`. */
export function decodeProof(text: string): ProofStep[] {
  const bytes = z.base64url().max(Math.ceil((MAX_STEPS * (HASH_BYTES + 1) * 4) / 3)).safeParse(text).success ? fromBase64Url(text) : undefined
  if (bytes === undefined || bytes.length % (HASH_BYTES + 1) !== 0) throw new RelayFault('bad_message', 'not a proof of a tile')
  const steps: ProofStep[] = []
  for (let at = 0; at < bytes.length; at += HASH_BYTES + 1) {
    const side = bytes[at]
    if (side !== 0 && side !== 1) throw new RelayFault('bad_message', 'not a proof of a tile')
    steps.push({ side: side === 0 ? 'left' : 'right', hash: bytes.slice(at + 1, at + 1 + HASH_BYTES) })
  }
  return steps
}

/** Whether these bytes are the tile at that place, by the root of its level. Runs in a browser and in Node (WebCrypto). @param root - Lower-case hexadecimal. */
export async function isTileProven(tile: { readonly level: number; readonly position: TilePosition; readonly bytes: Uint8Array }, proof: readonly ProofStep[], root: string): Promise<boolean> {
  let hash = await sha256(joined([leafHeader(tile.level, tile.position), tile.bytes]))
  for (const { side, hash: other } of proof) hash = await sha256(joined([Uint8Array.of(NODE_PREFIX), ...(side === 'left' ? [other, hash] : [hash, other])]))
  return toHex(hash) === root
}

/** SHA-256. @see FIPS 180-4 */
export const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> => new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes))

/** Lower-case hexadecimal. */
export const toHex = (bytes: Uint8Array): string => [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const toBase64Url = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

const fromBase64Url = (text: string): Uint8Array => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), character => character.charCodeAt(0))
