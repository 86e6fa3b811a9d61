import { createHash } from 'node:crypto'
import { Constructed, Enumerated, GeneralizedTime, OctetString, Primitive } from 'asn1js'
import type { CertID} from 'pkijs';
import { BasicOCSPResponse, Certificate, OCSPRequest, OCSPResponse, ResponseBytes, SingleResponse } from 'pkijs'
import type { IssuedCertificate } from './ca-ledger.ts'
import type { Authority } from './certificate-issuing.ts'

/** Larger requests are not read. */
const MAX_REQUEST_BYTES = 4096
const MAX_ASKED = 16
const LIFETIME_MILLIS = 10 * 60_000
const BACKDATE_MILLIS = 60_000
const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1'
const NONCE = '1.3.6.1.5.5.7.48.1.2'
/** @see RFC 6960 section 4.2.1 */
const STATUS = { successful: 0, malformedRequest: 1, internalError: 2 } as const

const failure = (status: number): Buffer => Buffer.from(new OCSPResponse({ responseStatus: new Enumerated({ value: status }) }).toSchema().toBER())

/** GOOD [0], REVOKED [1] or UNKNOWN [2]. @see RFC 6960 section 4.2.1 */
function certStatus(entry: IssuedCertificate | undefined): object {
  const tag = (tagNumber: number) => ({ tagClass: 3, tagNumber })
  if (entry === undefined) return new Primitive({ idBlock: tag(2), lenBlockLength: 1 } as object)
  if (entry.revokedAtMillis === null) return new Primitive({ idBlock: tag(0), lenBlockLength: 1 } as object)
  return new Constructed({ idBlock: tag(1), value: [new GeneralizedTime({ valueDate: new Date(entry.revokedAtMillis) })] })
}

function isOurs(id: CertID, issuer: Certificate): boolean {
  // SHA-1 names the issuer here and protects nothing. @see RFC 6960 section 4.3
  const algorithm = { '1.3.14.3.2.26': 'sha1', '2.16.840.1.101.3.4.2.1': 'sha256' }[id.hashAlgorithm.algorithmId]
  if (algorithm === undefined) return false
  const digest = (data: ArrayBuffer | Uint8Array): Buffer => createHash(algorithm).update(new Uint8Array(data)).digest()
  const name = digest(issuer.subject.toSchema().toBER())
  const key = digest(issuer.subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView)
  return name.equals(id.issuerNameHash.valueBlock.valueHexView) && key.equals(id.issuerKeyHash.valueBlock.valueHexView)
}

function single(id: CertID, entry: IssuedCertificate | undefined, nowMillis: number): SingleResponse {
  return new SingleResponse({ certID: id, certStatus: certStatus(entry), thisUpdate: new Date(nowMillis - BACKDATE_MILLIS), nextUpdate: new Date(nowMillis + LIFETIME_MILLIS) })
}

/**
 * Answers one OCSP request, signed with the CA's own key. Never throws for what was asked.
 *
 * @returns DER of an OCSPResponse. @see RFC 6960 section 4.2
 */
export async function answerOcsp(request: Uint8Array, { certificate, key }: Authority, find: (serial: string) => IssuedCertificate | undefined, nowMillis: number): Promise<Buffer> {
  const asked = readOcspRequest(request)
  if (asked === undefined) return failure(STATUS.malformedRequest)
  const issuer = Certificate.fromBER(certificate.rawData)
  const responses = asked.ids.map(id => {
    const serial = Buffer.from(id.serialNumber.valueBlock.valueHexView).toString('hex').replace(/^00/, '')
    return single(id, isOurs(id, issuer) ? find(serial) : undefined, nowMillis)
  })
  const basic = new BasicOCSPResponse()
  basic.tbsResponseData.responderID = issuer.subject
  basic.tbsResponseData.producedAt = new Date(nowMillis)
  basic.tbsResponseData.responses = responses
  if (asked.nonce !== undefined) basic.tbsResponseData.responseExtensions = [asked.nonce]
  basic.certs = [issuer]
  await basic.sign(key, 'SHA-256')
  const responseBytes = new ResponseBytes({ responseType: BASIC_RESPONSE, response: new OctetString({ valueHex: basic.toSchema().toBER(false) }) })
  return Buffer.from(new OCSPResponse({ responseStatus: new Enumerated({ value: STATUS.successful }), responseBytes }).toSchema().toBER(false))
}

/** What an OCSP request asks about; undefined when it cannot be read or asks about nothing or too much. */
export function readOcspRequest(der: Uint8Array) {
  if (der.length > MAX_REQUEST_BYTES) return undefined
  try {
    const { tbsRequest } = OCSPRequest.fromBER(Uint8Array.from(der).buffer)
    const ids = tbsRequest.requestList.map(({ reqCert }) => reqCert)
    if (ids.length === 0 || ids.length > MAX_ASKED) return undefined
    return { ids, nonce: tbsRequest.requestExtensions?.find(({ extnID }) => extnID === NONCE) }
  } catch {
    return undefined
  }
}
