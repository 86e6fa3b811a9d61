import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateFault } from './certificate-fault.ts'

/** Larger answers are not read. */
const MAX_RESPONSE_BYTES = 64 * 1024
const PATIENCE_MILLIS = 5000
/** Clocks of two machines may differ by this much. */
const TOLERANCE_SECONDS = '300'

/** What an OCSP responder said of one certificate. PEM, and the response in DER. */
export interface OcspQuestion {
  readonly certificatePem: string
  readonly issuerPem: string
  readonly anchorsPem: string
  readonly response: Uint8Array
}

/**
 * Checks a responder's signature and what it says.
 *
 * @throws {CertificateFault} `revoked`; `no_revocation_list` when the response is not signed by whom it should be, is not current or does not know the certificate.
 * @see RFC 6960 section 3.2
 */
export async function requireGood({ certificatePem, issuerPem, anchorsPem, response }: OcspQuestion): Promise<void> {
  if (response.length > MAX_RESPONSE_BYTES) throw new CertificateFault('no_revocation_list')
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-ocsp-'))
  try {
    const path = (name: string): string => join(folder, name)
    await Promise.all([writeFile(path('certificate.pem'), certificatePem), writeFile(path('issuer.pem'), issuerPem), writeFile(path('anchors.pem'), anchorsPem), writeFile(path('response.der'), response)])
    const output = await new Promise<string>(resolve => {
      const args = ['ocsp', '-no_nonce', '-validity_period', TOLERANCE_SECONDS, '-issuer', path('issuer.pem'), '-cert', path('certificate.pem'), '-respin', path('response.der'), '-CAfile', path('anchors.pem'), '-no-CApath', '-no-CAstore']
      execFile('openssl', args, { timeout: PATIENCE_MILLIS, maxBuffer: 64 * 1024, env: { PATH: process.env['PATH'], LC_ALL: 'C', OPENSSL_CONF: '/dev/null' } }, (error, stdout, stderr) => resolve(error === null ? `${stderr}${stdout}` : ''))
    })
    const isCurrent = /^Response verify OK$/m.test(output) && !/Status times invalid/.test(output)
    const status = /^\S*certificate\.pem: (good|revoked|unknown)$/m.exec(output)?.[1]
    if (isCurrent && status === 'revoked') throw new CertificateFault('revoked')
    if (!isCurrent || status !== 'good') throw new CertificateFault('no_revocation_list')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
