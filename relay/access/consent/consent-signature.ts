import { createHash } from 'node:crypto'
import { Certificate, ContentInfo, CryptoEngine, SignedData } from 'pkijs'
import { RelayFault } from '../../wire/fault.ts'

/** A longer signature is not looked at. */
const MAX_SIGNATURE_BYTES = 64 * 1024
/** @see RFC 5652 section 5.1 */
const SIGNED_DATA = '1.2.840.113549.1.7.2'
/** RSASSA-PKCS1-v1_5 and ECDSA, each with SHA-256 or longer. The signer's word on the digest counts, too. */
const DIGESTS = new Set(['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'])

const engine = new CryptoEngine({ name: 'node', crypto })

/** Who signed: the card, by its key. Nothing that the certificate says of the person. */
export interface ConsentSigner {
  /** SHA-256 of the card's public key (SubjectPublicKeyInfo), in hexadecimal. */
  readonly holder: string
}

/** Checks signatures of patients' cards: CMS SignedData, detached. @see RFC 5652 */
export class ConsentSignatures {
  readonly #trusted: readonly Certificate[]
  readonly #now: () => Date

  /** @param trusted - The authorities whose cards are taken. */
  constructor(trusted: readonly Certificate[], now: () => Date = () => new Date()) {
    this.#trusted = trusted
    this.#now = now
  }

  /**
   * @param signature - DER.
   * @throws {RelayFault} `consent_refused` when it is no signature over these bytes by a card that is trusted and valid now.
   */
  async verify(signedBytes: Uint8Array, signature: Uint8Array): Promise<ConsentSigner> {
    if (signature.length > MAX_SIGNATURE_BYTES) throw new RelayFault('consent_refused', 'the signature is too long')
    try {
      const signed = readSignedData(signature)
      const result = await signed.verify({ signer: 0, data: exactBuffer(signedBytes), trustedCerts: [...this.#trusted], checkChain: true, checkDate: this.#now(), extendedMode: true }, engine)
      if (result.signatureVerified !== true || result.signerCertificateVerified !== true || !(result.signerCertificate instanceof Certificate)) throw new TypeError(result.message)
      return { holder: holderOf(result.signerCertificate) }
    } catch (cause) {
      // What a library says of a certificate may quote the person it names.
      throw new RelayFault('consent_refused', 'the consent is not signed by a card that counts here', { cause: cause instanceof Error ? new TypeError(cause.name) : undefined })
    }
  }
}

/** The holder of a card, by its key. */
export function holderOf(certificate: Certificate): string {
  return createHash('sha256').update(Buffer.from(certificate.subjectPublicKeyInfo.toSchema().toBER())).digest('hex')
}

const exactBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer

function readSignedData(signature: Uint8Array): SignedData {
  const content = ContentInfo.fromBER(exactBuffer(signature))
  if (content.contentType !== SIGNED_DATA) throw new TypeError('no signed data')
  const signed = new SignedData({ schema: content.content })
  if (signed.signerInfos.length !== 1) throw new TypeError('not one signer')
  // The consent comes beside the signature: a second one inside it would be one that nobody read.
  if (signed.encapContentInfo.eContent !== undefined) throw new TypeError('not detached')
  if (!DIGESTS.has(signed.signerInfos[0]?.digestAlgorithm.algorithmId ?? '')) throw new TypeError('a weak digest')
  return signed
}
