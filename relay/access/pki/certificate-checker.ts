import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateFault } from './certificate-fault.ts'
import { KEY_PURPOSES, readCertificate } from './certificate.ts'
import type { CertificateRefusal } from './certificate-fault.ts'
import type { CertificateReading } from './certificate.ts'
import type { MemberName } from './member-name.ts'

/** Certificates that a peer may send: its own and those of CAs between it and the trusted one. */
export const MAX_CHAIN = 5
/** Checks side by side, and those that may wait; the next one is refused. */
const MAX_RUNNING = 4
const MAX_WAITING = 64
const PATIENCE_MILLIS = 5000

/** @see openssl-verification-options(1), X509_verify_cert_error_string(3) */
const REASONS: Readonly<Record<number, CertificateRefusal>> = {
  2: 'wrong_ca', 3: 'no_revocation_list', 7: 'bad_signature', 8: 'bad_signature', 9: 'not_yet_valid', 10: 'expired', 11: 'no_revocation_list', 12: 'no_revocation_list',
  18: 'self_signed', 19: 'wrong_ca', 20: 'wrong_ca', 21: 'wrong_ca', 22: 'chain_too_long', 23: 'revoked', 24: 'wrong_ca', 25: 'chain_too_long', 26: 'wrong_usage', 32: 'wrong_ca', 33: 'no_revocation_list', 35: 'no_revocation_list', 36: 'no_revocation_list', 42: 'wrong_policy', 43: 'wrong_policy',
  44: 'no_revocation_list', 47: 'name_mismatch', 48: 'name_mismatch', 54: 'no_revocation_list', 62: 'name_mismatch', 79: 'wrong_ca',
}

/** What certificates are checked against. */
export interface TrustAnchors {
  /** CA certificates that paths may end at, PEM: the platform's root and outside CAs that were accepted. */
  readonly anchorsPem: string
  /** Current revocation lists, PEM. With them every CA of a path needs one; undefined: revocation is decided elsewhere. */
  readonly crlsPem?: string | undefined
}

/** What a certificate must be good for. */
export interface CheckTerms {
  /** An extended key usage that it must carry. */
  readonly purpose?: keyof typeof KEY_PURPOSES | undefined
  /** Object identifiers of policies of which its path must be valid for one. @see RFC 5280 section 6.1.1 */
  readonly policies?: readonly string[] | undefined
  /** The member that it must belong to. */
  readonly member?: MemberName | undefined
  /** The host name that it must carry. */
  readonly hostName?: string | undefined
  /** When it must be valid, in milliseconds since the epoch. */
  readonly nowMillis: number
}

/** The settings of path validation, as RFC 5280 section 6.1.1 names them. */
export interface PathSettings {
  readonly policies?: readonly string[] | undefined
  readonly requireExplicitPolicy?: boolean | undefined
  readonly inhibitPolicyMapping?: boolean | undefined
  readonly inhibitAnyPolicy?: boolean | undefined
  readonly nowMillis: number
}

const pemOf = (der: Uint8Array): string => `-----BEGIN CERTIFICATE-----\n${(Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`

function run(args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    execFile('openssl', args, { timeout: PATIENCE_MILLIS, maxBuffer: 64 * 1024, env: { PATH: process.env['PATH'], LC_ALL: 'C', OPENSSL_CONF: '/dev/null' } }, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, output: stdout })
      else if (typeof error.code === 'number') resolve({ code: error.code, output: `${stdout}${stderr}` })
      else reject(new Error('openssl did not run to its end', { cause: error }))
    })
  })
}

/** The number in "error 23 at 0 depth lookup: certificate revoked"; the first one counts. */
const reasonIn = (output: string): CertificateRefusal => REASONS[Number(/^error (\d+) at \d+ depth lookup/m.exec(output)?.[1])] ?? 'other'

async function validate(chain: readonly Uint8Array[], { anchorsPem, crlsPem }: TrustAnchors, settings: PathSettings): Promise<void> {
  const { policies = [], requireExplicitPolicy, inhibitPolicyMapping, inhibitAnyPolicy, nowMillis } = settings
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-chain-'))
  try {
    const path = (name: string): string => join(folder, name)
    const [leaf = new Uint8Array(), ...others] = chain
    await Promise.all([
      writeFile(path('anchors.pem'), anchorsPem),
      writeFile(path('chain.pem'), others.map(pemOf).join('')),
      writeFile(path('leaf.pem'), pemOf(leaf)),
      ...(crlsPem === undefined ? [] : [writeFile(path('crls.pem'), crlsPem)]),
    ])
    const { code, output } = await run([
      'verify', '-x509_strict', '-policy_check', '-auth_level', '1', '-attime', String(Math.floor(nowMillis / 1000)),
      '-no-CApath', '-no-CAstore', '-CAfile', path('anchors.pem'),
      ...(others.length > 0 ? ['-untrusted', path('chain.pem')] : []),
      ...(crlsPem === undefined ? [] : ['-CRLfile', path('crls.pem'), '-crl_check_all', '-extended_crl', '-use_deltas']),
      ...policies.flatMap(policy => ['-policy', policy]),
      ...(requireExplicitPolicy === true ? ['-explicit_policy'] : []), ...(inhibitPolicyMapping === true ? ['-inhibit_map'] : []), ...(inhibitAnyPolicy === true ? ['-inhibit_any'] : []),
      path('leaf.pem'),
    ])
    if (code !== 0) throw new CertificateFault(reasonIn(output))
  } catch (cause) {
    throw cause instanceof CertificateFault ? cause : new CertificateFault('other', { cause })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Checks certificates: path, validity, policy and revocation by OpenSSL, name and usage on top of it. Bounds how many at once. */
export class CertificateChecker {
  #running = 0
  readonly #waiting: (() => void)[] = []

  /**
   * Checks a certificate for what it is to be used for.
   *
   * @param chain - DER; the peer's own certificate first.
   * @throws {CertificateFault} with the reason, and nothing else for any input.
   */
  async check(chain: readonly Uint8Array[], anchors: TrustAnchors, terms: CheckTerms): Promise<CertificateReading> {
    const [leaf] = chain
    if (leaf === undefined) throw new CertificateFault('absent')
    if (chain.length > MAX_CHAIN) throw new CertificateFault('chain_too_long')
    const reading = readCertificate(leaf)
    const { policies, purpose, member, hostName, nowMillis } = terms
    await this.validatePath(chain, anchors, { policies, requireExplicitPolicy: policies !== undefined, nowMillis })
    // A certificate without the extension may be used for anything, which no member's may.
    if (purpose !== undefined && (reading.isAuthority || !reading.purposes.includes(KEY_PURPOSES[purpose]))) throw new CertificateFault('wrong_usage')
    if (member !== undefined && (reading.member?.facilityId !== member.facilityId || reading.member.nodeId !== member.nodeId)) throw new CertificateFault('name_mismatch')
    if (hostName !== undefined && !reading.dnsNames.includes(hostName.toLowerCase())) throw new CertificateFault('name_mismatch')
    return reading
  }

  /**
   * Validates a path alone: signatures, validity, constraints, policies, revocation. @see RFC 5280 section 6
   *
   * @throws {CertificateFault} with the reason.
   */
  async validatePath(chain: readonly Uint8Array[], anchors: TrustAnchors, settings: PathSettings): Promise<void> {
    if (this.#running >= MAX_RUNNING) {
      if (this.#waiting.length >= MAX_WAITING) throw new CertificateFault('overloaded')
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    } else this.#running++
    try {
      await validate(chain, anchors, settings)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
