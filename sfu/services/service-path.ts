import { RelayFault } from '../../relay/wire/fault.ts'
import { ServiceId } from '../../relay/wire/access.ts'

/** Services are reached below this. */
export const SERVICES_PATH = '/services'

const MAX_PATH_CHARACTERS = 2048
const MAX_QUERY_CHARACTERS = 4096
/** What a path may consist of, percent-encoded octets aside; `@`, `/` and `\` are not among them. @see RFC 3986 section 3.3 */
const SEGMENT = /^(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+$/
/** @see RFC 3986 section 3.4 */
const QUERY = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/
/** Encoded, they mean something else to whoever decodes once more: controls, DEL, `/`, `\`, and `%` itself. */
const AMBIGUOUS = /%(?:[01][0-9a-f]|7f|2f|5c|25)/i
const ENCODED_CONTROL = /%(?:[01][0-9a-f]|7f)/i

/** Where a request goes: to which service, and what it asks of it. */
export interface ServiceTarget {
  readonly serviceId: ServiceId
  /** Begins with a slash; with the query. Nothing in it can change the origin. */
  readonly path: string
}

const refused = (): RelayFault => new RelayFault('bad_message', 'this is not a path of a service')

function isPlainSegment(segment: string): boolean {
  if (!SEGMENT.test(segment) || AMBIGUOUS.test(segment)) return false
  const dots = segment.replaceAll(/%2e/gi, '.')
  return dots !== '.' && dots !== '..'
}

/** Whether a path, without its query, means the same to everybody who reads it. */
function isPlainPath(path: string): boolean {
  if (!path.startsWith('/') || path.length > MAX_PATH_CHARACTERS) return false
  const segments = path.slice(1).split('/')
  // The last one may be empty: a folder.
  return segments.every((segment, index) => (segment === '' ? index === segments.length - 1 : isPlainSegment(segment)))
}

/**
 * Reads the target of a request from its request line, as it came. What could be read in two ways is refused, not repaired.
 *
 * @param requestTarget - In origin form; no other is taken. @see RFC 9112 section 3.2
 * @throws {RelayFault} `bad_message`.
 */
export function parseServiceTarget(requestTarget: string): ServiceTarget {
  const prefix = `${SERVICES_PATH}/`
  if (!requestTarget.startsWith(prefix)) throw refused()
  const [whole = '', ...queries] = requestTarget.slice(prefix.length).split('?')
  const asked = queries.join('?')
  const query = asked === '' ? '' : `?${asked}`
  const slash = whole.indexOf('/')
  const serviceId = ServiceId.safeParse(slash < 0 ? whole : whole.slice(0, slash))
  const path = slash < 0 ? '/' : whole.slice(slash)
  if (!serviceId.success || !isPlainPath(path)) throw refused()
  if (query.length > MAX_QUERY_CHARACTERS || !QUERY.test(query.slice(1)) || ENCODED_CONTROL.test(query)) throw refused()
  return { serviceId: serviceId.data, path: `${path}${query}` }
}

/**
 * What a service calls another place of itself, as the caller reaches it.
 *
 * @param location - `Location` or `Content-Location`: absolute or relative to what was asked for.
 * @returns Undefined for a place of another origin, or one that could not be asked for.
 */
export function rewriteLocation(location: string, origin: string, { serviceId, path }: ServiceTarget): string | undefined {
  const base = `${origin}${path}`
  if (!URL.canParse(location, base)) return undefined
  const url = new URL(location, base)
  if (url.origin !== origin || url.username !== '' || url.password !== '') return undefined
  const rewritten = `${SERVICES_PATH}/${serviceId}${url.pathname}${url.search}`
  try {
    parseServiceTarget(rewritten)
  } catch {
    // It could not be asked for.
    return undefined
  }
  return rewritten
}
