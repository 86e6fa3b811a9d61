import { createHmac, randomBytes } from 'node:crypto'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { RelayFault } from '../../wire/fault.ts'

/** The key that makes pseudonyms; it never leaves the facility. At least 32 bytes. */
export type PseudonymKey = Buffer & { readonly __brand: 'PseudonymKey' }

/** Without I, L, O and U. @see https://www.crockford.com/base32.html */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const CHARACTERS = 12
const GROUP = 4
const KEY_BYTES = 32
const MAX_CASE_CHARACTERS = 1024
/** So that the same key used for something else gives something else. */
const PURPOSE = 'kenkyo pseudonym of a case\0'

/**
 * The pseudonym of a case: 60 bits of HMAC-SHA-256 under the facility's key, such as `7Q2M-0XKD-9TRA`. The same case
 * has the same one; without the key it cannot be told whose it is, nor be found by trying case numbers.
 *
 * @param caseNumber - As it was typed or named: full width and half width, capitals and small letters, and spaces around are alike (Unicode NFKC).
 * @throws {RelayFault} `bad_config` for an empty or overlong case number.
 * @see RFC 2104
 */
export function pseudonymOf(caseNumber: string, key: PseudonymKey): string {
  const name = caseNumber.length > MAX_CASE_CHARACTERS ? '' : caseNumber.normalize('NFKC').trim().toUpperCase()
  if (name === '') throw new RelayFault('bad_config', 'a case number has 1 to 1024 characters')
  const digest = createHmac('sha256', key).update(PURPOSE).update(name, 'utf8').digest()
  let bits = digest.readBigUInt64BE(0) >> BigInt(64 - 5 * CHARACTERS)
  let text = ''
  for (let left = CHARACTERS; left > 0; left--) {
    text = `${ALPHABET[Number(bits & 31n)] ?? ''}${left % GROUP === 0 && text !== '' ? '-' : ''}${text}`
    bits >>= 5n
  }
  return text
}

/** The case number that a file is named for: its name without folder and extension. */
export const caseNumberOf = (path: string): string => basename(path.replaceAll('\\', '/')).replace(/\.[^.]{1,8}$/, '')

/**
 * Reads the facility's key from a file of 64 hexadecimal digits, and makes the file at the first time, for its owner only.
 *
 * @throws {RelayFault} `bad_config` when the file holds something else.
 */
export async function openPseudonymKey(path: string): Promise<PseudonymKey> {
  const made = randomBytes(KEY_BYTES).toString('hex')
  try {
    await writeFile(path, `${made}\n`, { flag: 'wx', mode: 0o600, flush: true })
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw new RelayFault('bad_config', 'the key for pseudonyms cannot be written', { cause })
  }
  const text = (await readFile(path, 'latin1')).trim()
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new RelayFault('bad_config', 'the key for pseudonyms is not 64 hexadecimal digits')
  return Buffer.from(text, 'hex') as PseudonymKey
}

/**
 * Notes whose pseudonym it is, in a file that stays at the scanner, for its owner only: one JSON object a line. A case
 * that is there already is not noted again. Call it only where somebody asked for it.
 */
export async function notePseudonym(path: string, entry: { readonly pseudonym: string; readonly caseNumber: string }): Promise<void> {
  const line = JSON.stringify({ pseudonym: entry.pseudonym, caseNumber: entry.caseNumber })
  const known = await readFile(path, 'utf8').catch(() => '')
  if (!known.split('\n').includes(line)) await appendFile(path, `${line}\n`, { mode: 0o600, flush: true })
}
