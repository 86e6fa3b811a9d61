/** A representation that can be given. */
export interface MediaOffer {
  /** Such as `image/jpeg`; of the parts, when it is multipart. */
  readonly type: string
  readonly isMultipart: boolean
  /** The transfer syntax of what is given, where it has one. */
  readonly transferSyntax?: string | undefined
}

/** A media type with its parameters, in lower case but for quoted values. */
export interface MediaType {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
}

/** Parses one media type. @see RFC 9110 section 8.3.1 */
export function parseMediaType(text: string): MediaType {
  const [type = '', ...rest] = text.match(/(?:[^;"]|"[^"]*")+/g) ?? []
  const parameters = new Map<string, string>()
  for (const part of rest) {
    const at = part.indexOf('=')
    if (at > 0) parameters.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim().replace(/^"([^"]*)"$/, '$1'))
  }
  return { type: type.trim().toLowerCase(), parameters }
}

/**
 * The first offer that the most wanted acceptable range allows. A range without a transfer syntax allows the stored one:
 * nothing here is decoded.
 *
 * @param accept - The Accept header; absent allows everything.
 * @returns `undefined` when nothing is acceptable: status 406.
 * @see PS3.18 sections 8.7.3 and 8.7.5; RFC 9110 section 12.5.1
 */
export function chooseOffer(accept: string | undefined, offers: readonly MediaOffer[]): MediaOffer | undefined {
  const ranges = ((accept ?? '').match(/(?:[^,"]|"[^"]*")+/g) ?? ['*/*']).map(parseMediaType)
  const quality = ({ parameters }: MediaType): number => Number(parameters.get('q') ?? 1)
  const wanted = ranges.filter(range => quality(range) > 0).sort((a, b) => quality(b) - quality(a))
  for (const range of wanted) {
    const offer = offers.find(one => isAllowed(range, one))
    if (offer !== undefined) return offer
  }
  return undefined
}

function isAllowed({ type, parameters }: MediaType, offer: MediaOffer): boolean {
  const syntax = parameters.get('transfer-syntax') ?? '*'
  if (syntax !== '*' && syntax !== offer.transferSyntax) return false
  if (type === '*/*') return true
  if (offer.isMultipart) return type === 'multipart/related' && matches(parameters.get('type')?.toLowerCase() ?? '*/*', offer.type)
  return matches(type, offer.type)
}

const matches = (range: string, type: string): boolean => range === '*/*' || range === type || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)))
