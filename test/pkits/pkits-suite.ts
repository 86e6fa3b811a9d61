import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromBER } from 'asn1js'
import { CertificateChecker } from '../../relay/access/pki/certificate-checker.ts'
import { CertificateFault } from '../../relay/access/pki/certificate-fault.ts'
import { pemOfCrl } from '../../relay/access/pki/platform-ca.ts'
import { PKITS_CASES } from './pkits-cases.ts'
import type { BaseBlock } from 'asn1js'
import type { PkitsCase } from './pkits-cases.ts'

/** Where Debian's python3-cryptography-vectors puts NIST's files. */
const FOLDER = '/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data'
const NIST_TEST_POLICY = '2.16.840.1.101.3.2.1.48'
/** Within the life of everything that is meant to be valid, and after that of what is not. */
const NOW_MILLIS = Date.UTC(2026, 0, 1)
/** Each check is a process; so many wait for one another. */
const SIDE_BY_SIDE = 4

/** One test and what came of it. */
export interface PkitsResult {
  readonly tested: PkitsCase
  /** `valid`, or the reason of the refusal. */
  readonly got: string
}

/** Whether NIST's files are installed. */
export const hasPkits = (): boolean => existsSync(join(FOLDER, 'smime'))

/** The file of a test's signed message. */
const fileOf = (title: string): string => `Signed${title.replaceAll(/[ -]/g, '')}.eml`

/** Messages that NIST delivers and no line of the table uses. */
export async function unusedFiles(): Promise<string[]> {
  const used = new Set(PKITS_CASES.map(({ title }) => fileOf(title)))
  return (await readdir(join(FOLDER, 'smime'))).filter(name => !used.has(name))
}

const children = (block: BaseBlock | undefined): BaseBlock[] => (block?.valueBlock as { value?: BaseBlock[] } | undefined)?.value ?? []
const derOf = (block: BaseBlock | undefined): Buffer => Buffer.from(block?.valueBeforeDecodeView ?? [])
const isTagged = (block: BaseBlock, tagNumber: number): boolean => block.idBlock.tagClass === 3 && block.idBlock.tagNumber === tagNumber

/** What NIST put into the signed message of one test: the signer's certificate, those of CAs and revocation lists, as they are, DER. @see RFC 5652 section 5.1 */
async function pathOf(title: string): Promise<{ chain: Buffer[]; crls: Buffer[] }> {
  const mail = await readFile(join(FOLDER, 'smime', fileOf(title)), 'latin1')
  const der = Buffer.from(/Disposition[^\n]*smime\.p7s[^]*?\r?\n\r?\n([A-Za-z0-9+/=\r\n]+)/.exec(mail)?.[1] ?? '', 'base64')
  const [, content] = children(fromBER(der).result)
  const signedData = children(children(content)[0])
  const certificates = children(signedData.find(block => isTagged(block, 0)))
  const crls = children(signedData.find(block => isTagged(block, 1))).map(derOf)
  const signer = children(children(children(signedData.at(-1))[0])[1]).map(derOf)
  const [leaf, ...rest] = certificates.filter(certificate => {
    const [, serial, , issuer] = children(children(certificate)[0]).map(derOf)
    return issuer?.equals(signer[0] ?? Buffer.of()) === true && serial?.equals(signer[1] ?? Buffer.of()) === true
  })
  if (leaf === undefined || rest.length > 0) throw new Error(`${title}: no one certificate of its signer`)
  return { chain: [derOf(leaf), ...certificates.filter(each => each !== leaf).map(derOf)], crls }
}

async function run(checker: CertificateChecker, anchorsPem: string, tested: PkitsCase): Promise<PkitsResult> {
  const { chain, crls } = await pathOf(tested.title)
  const settings = {
    policies: tested.policies.length === 0 ? ['2.5.29.32.0'] : tested.policies.map(last => `${NIST_TEST_POLICY}.${last}`),
    requireExplicitPolicy: tested.settings.includes('explicit'),
    inhibitPolicyMapping: tested.settings.includes('no mapping'),
    inhibitAnyPolicy: tested.settings.includes('no anyPolicy'),
    nowMillis: NOW_MILLIS,
  }
  try {
    await checker.validatePath(chain, { anchorsPem, crlsPem: crls.map(pemOfCrl).join('') }, settings)
    return { tested, got: 'valid' }
  } catch (error) {
    if (!(error instanceof CertificateFault)) throw error
    return { tested, got: error.reason }
  }
}

/** Runs every test through {@link CertificateChecker.validatePath}, four at a time, in the order of the table. */
export async function runPkits(): Promise<PkitsResult[]> {
  const anchor = await readFile(join(FOLDER, 'certs', 'TrustAnchorRootCertificate.crt'))
  const anchorsPem = `-----BEGIN CERTIFICATE-----\n${anchor.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  const checker = new CertificateChecker()
  const results: PkitsResult[] = []
  const waiting = PKITS_CASES.entries()
  await Promise.all(
    Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (const [index, tested] of waiting) results[index] = await run(checker, anchorsPem, tested)
    }),
  )
  return results
}
