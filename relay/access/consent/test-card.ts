/**
 * Cards for tests and for the demo: like those of Japan's public personal authentication (JPKI) in form, and nothing
 * else. No real card is read or verified anywhere in this project.
 */
import { KeyObject, createPrivateKey } from 'node:crypto'
import { Integer, ObjectIdentifier, OctetString, PrintableString, UTCTime, Utf8String } from 'asn1js'
import { AlgorithmIdentifier, Attribute, AttributeTypeAndValue, BasicConstraints, Certificate, ContentInfo, CryptoEngine, EncapsulatedContentInfo, Extension, IssuerAndSerialNumber, SignedAndUnsignedAttributes, SignedData, SignerInfo } from 'pkijs'
import { RelayFault } from '../../wire/fault.ts'

const engine = new CryptoEngine({ name: 'node', crypto })
const RSA = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' } as const
const DAY_MILLIS = 86_400_000
/** @see RFC 5652 sections 4, 11.1 to 11.3 */
const OID = { data: '1.2.840.113549.1.7.1', signedData: '1.2.840.113549.1.7.2', contentType: '1.2.840.113549.1.9.3', messageDigest: '1.2.840.113549.1.9.4', signingTime: '1.2.840.113549.1.9.5', commonName: '2.5.4.3', country: '2.5.4.6', basicConstraints: '2.5.29.19' } as const

type Key = CryptoKeyPair

const CERTIFICATE = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/
const PRIVATE_KEY = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/

function pemOf(certificate: Certificate, privateKey: CryptoKey): string {
  return certificatePem(certificate) + KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** A certificate in PEM. */
export function certificatePem(certificate: Certificate): string {
  const body = Buffer.from(certificate.toSchema(true).toBER()).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${(body.match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`
}

async function readPem(pem: string): Promise<{ certificate: Certificate; key: Key }> {
  try {
    const certificate = Certificate.fromBER(new Uint8Array(Buffer.from(CERTIFICATE.exec(pem)?.[1] ?? '', 'base64')).buffer)
    const pkcs8 = createPrivateKey(PRIVATE_KEY.exec(pem)?.[0] ?? '').export({ type: 'pkcs8', format: 'der' })
    const privateKey = await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), RSA, true, ['sign'])
    return { certificate, key: { privateKey, publicKey: await certificate.getPublicKey(undefined, engine) } }
  } catch (cause) {
    // What a library says of a card may quote whom it names.
    throw new RelayFault('bad_config', 'the file holds no test card', { cause: cause instanceof Error ? new TypeError(cause.name) : undefined })
  }
}

const newKey = (): Promise<Key> => crypto.subtle.generateKey(RSA, true, ['sign', 'verify'])

/** What a certificate made here may be told. */
export interface TestCertificateOptions {
  /** Milliseconds since the epoch; without them from yesterday for ten years. */
  readonly validFromMillis?: number
  readonly validUntilMillis?: number
}

async function makeCertificate(name: string, key: Key, issuer: { readonly certificate: Certificate; readonly key: Key } | undefined, { validFromMillis = Date.now() - DAY_MILLIS, validUntilMillis = Date.now() + 3650 * DAY_MILLIS }: TestCertificateOptions): Promise<Certificate> {
  const certificate = new Certificate()
  certificate.version = 2
  certificate.serialNumber = new Integer({ valueHex: crypto.getRandomValues(new Uint8Array(8)).map((byte, index) => (index === 0 ? byte & 0x7f | 1 : byte)).buffer })
  certificate.subject.typesAndValues.push(new AttributeTypeAndValue({ type: OID.country, value: new PrintableString({ value: 'JP' }) }), new AttributeTypeAndValue({ type: OID.commonName, value: new Utf8String({ value: name }) }))
  certificate.issuer = issuer?.certificate.subject ?? certificate.subject
  certificate.notBefore.value = new Date(validFromMillis)
  certificate.notAfter.value = new Date(validUntilMillis)
  const constraints = new BasicConstraints({ cA: issuer === undefined })
  certificate.extensions = [new Extension({ extnID: OID.basicConstraints, critical: true, extnValue: constraints.toSchema().toBER(), parsedValue: constraints })]
  await certificate.subjectPublicKeyInfo.importKey(key.publicKey, engine)
  await certificate.sign(issuer?.key.privateKey ?? key.privateKey, 'SHA-256', engine)
  // As a reader has it, whatever else is in what was just built.
  return Certificate.fromBER(certificate.toSchema(true).toBER())
}

/** An authority that issues test cards. */
export class TestCardAuthority {
  readonly certificate: Certificate
  readonly #key: Key

  private constructor(certificate: Certificate, key: Key) {
    this.certificate = certificate
    this.#key = key
  }

  static async open(name = 'Test card authority', options: TestCertificateOptions = {}): Promise<TestCardAuthority> {
    const key = await newKey()
    return new TestCardAuthority(await makeCertificate(name, key, undefined, options), key)
  }

  /** As {@link toPem} wrote it. @throws {RelayFault} `bad_config`. */
  static async fromPem(pem: string): Promise<TestCardAuthority> {
    const { certificate, key } = await readPem(pem)
    return new TestCardAuthority(certificate, key)
  }

  /** Certificate and private key. */
  toPem(): string {
    return pemOf(this.certificate, this.#key.privateKey)
  }

  async issue(name: string, options: TestCertificateOptions = {}): Promise<TestCard> {
    const key = await newKey()
    return new TestCard(await makeCertificate(name, key, this.#issuer, options), key.privateKey)
  }

  get #issuer() {
    return { certificate: this.certificate, key: this.#key }
  }
}

/** A patient's test card. */
export class TestCard {
  readonly certificate: Certificate
  readonly #privateKey: CryptoKey

  constructor(certificate: Certificate, privateKey: CryptoKey) {
    this.certificate = certificate
    this.#privateKey = privateKey
  }

  /** As {@link toPem} wrote it. @throws {RelayFault} `bad_config`. */
  static async fromPem(pem: string): Promise<TestCard> {
    const { certificate, key } = await readPem(pem)
    return new TestCard(certificate, key.privateKey)
  }

  /** Certificate and private key: everything that a real card never lets out. */
  toPem(): string {
    return pemOf(this.certificate, this.#privateKey)
  }

  /** @returns CMS SignedData over these bytes, detached, DER. @see RFC 5652 */
  async sign(bytes: Uint8Array, atMillis = Date.now()): Promise<Uint8Array> {
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))
    const attributes = [
      new Attribute({ type: OID.contentType, values: [new ObjectIdentifier({ value: OID.data })] }),
      new Attribute({ type: OID.signingTime, values: [new UTCTime({ valueDate: new Date(atMillis) })] }),
      new Attribute({ type: OID.messageDigest, values: [new OctetString({ valueHex: digest })] }),
    ]
    const signed = new SignedData({
      version: 1,
      encapContentInfo: new EncapsulatedContentInfo({ eContentType: OID.data }),
      signerInfos: [new SignerInfo({ version: 1, sid: new IssuerAndSerialNumber({ issuer: this.certificate.issuer, serialNumber: this.certificate.serialNumber }), digestAlgorithm: new AlgorithmIdentifier({ algorithmId: '2.16.840.1.101.3.4.2.1' }), signedAttrs: new SignedAndUnsignedAttributes({ type: 0, attributes }) })],
      certificates: [this.certificate],
    })
    await signed.sign(this.#privateKey, 0, 'SHA-256', new Uint8Array(bytes).buffer, engine)
    return new Uint8Array(new ContentInfo({ contentType: OID.signedData, content: signed.toSchema(true) }).toSchema().toBER())
  }
}
