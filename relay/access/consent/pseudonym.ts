import { createHmac } from 'node:crypto'
import { z } from 'zod'
import type { FacilityId } from '../../wire/access.ts'

/** A patient as one pair of facilities knows them: 64 hexadecimal digits that lead nowhere without the region's key. */
export const Pseudonym = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits').brand('Pseudonym')
export type Pseudonym = z.infer<typeof Pseudonym>

/** Bytes of a region's key. */
export const REGION_KEY_BYTES = 32

/**
 * The patient's name between two facilities, in either order; of one facility with itself, the name at home. The same
 * patient has another one on every link, and nobody without the key can tell that they belong together.
 *
 * @param regionKey - {@link REGION_KEY_BYTES} bytes that only the core has.
 * @param holder - SHA-256 of the public key of the patient's card, in hexadecimal.
 * @see RFC 2104
 */
export function pairPseudonym(regionKey: Uint8Array, holder: string, one: FacilityId, other: FacilityId): Pseudonym {
  if (regionKey.length !== REGION_KEY_BYTES) throw new RangeError('a region key has 32 bytes')
  const [first, second] = [one, other].sort()
  // A facility's id has no space in it: no two inputs are written alike.
  return Pseudonym.parse(createHmac('sha256', regionKey).update(`kenkyo patient 1 ${first} ${second} ${holder}`).digest('hex'))
}
