import type { IncomingHttpHeaders } from 'node:http'

/**
 * What of a request a service gets to see. Everything else stays here: credentials and cookies, hop-by-hop fields (RFC 9110
 * section 7.6.1) and whatever a service could take for a name or an address of the caller.
 */
const REQUEST_FIELDS = [
  'accept', 'accept-charset', 'accept-encoding', 'accept-language', 'content-encoding', 'content-language', 'content-type',
  'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'prefer', 'range',
] as const

/** What of an answer a caller gets to see: no cookies, and nothing that speaks for the node's own pages. */
const RESPONSE_FIELDS = [
  'accept-ranges', 'age', 'allow', 'content-disposition', 'content-encoding', 'content-language', 'content-range', 'content-type',
  'etag', 'expires', 'last-modified', 'preference-applied', 'retry-after', 'vary', 'warning',
] as const

/** All fields of an answer that come from a service. */
export const ANSWER_FIELDS = [...RESPONSE_FIELDS, 'content-length', 'content-location', 'location'] as const

/** A node says that it stands between. @see RFC 9110 section 7.6.3 */
const VIA = '1.1 kenkyo'

/** @param authorization - What the node itself shows to the service, if anything. */
export function requestHeaders(headers: IncomingHttpHeaders, authorization: string | undefined): Record<string, string> {
  const kept = REQUEST_FIELDS.flatMap(name => (typeof headers[name] === 'string' ? [[name, headers[name]] as const] : []))
  const length = headers['content-length']
  return {
    ...Object.fromEntries(kept),
    // Whoever sends in chunks is forwarded so.
    ...(length === undefined || headers['transfer-encoding'] !== undefined ? {} : { 'content-length': length }),
    ...(authorization === undefined ? {} : { authorization }),
    via: VIA,
  }
}

/** The fields of an answer that are passed on, `location`, `content-location` and `content-length` aside. */
export function responseHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = RESPONSE_FIELDS.flatMap(name => {
    const value = headers[name]
    return value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as const]
  })
  return {
    ...Object.fromEntries(kept),
    // Images of patients: no cache keeps them. What a service answers runs as nobody.
    'cache-control': 'no-store',
    'content-security-policy': "sandbox;default-src 'none';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    via: VIA,
  }
}
