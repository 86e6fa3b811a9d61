import { lookup } from 'node:dns'
import ipaddr from 'ipaddr.js'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { RelayFault } from '../../relay/wire/fault.ts'

/** Where services may live: `routable` in networks, `local` on this machine as well. */
export type AddressScope = 'routable' | 'local'

const ROUTABLE: ReadonlySet<string> = new Set(['unicast', 'private', 'uniqueLocal', 'carrierGradeNat'])
const LOCAL: ReadonlySet<string> = new Set(['loopback', 'linkLocal'])

/** Whether a service may be at an address. What tunnels, translates, casts to many or means nobody never is. @see RFC 6890 */
export function isServiceAddress(address: string, scope: AddressScope): boolean {
  if (!ipaddr.isValid(address)) return false
  // An IPv4 address in IPv6 clothes is judged as what it is.
  const range = ipaddr.process(address).range()
  return ROUTABLE.has(range) || (scope === 'local' && LOCAL.has(range))
}

/** Finds the addresses of a name; as `dns.lookup` with `all`. */
export type ResolveName = (hostname: string, answer: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void

const resolveBySystem: ResolveName = (hostname, answer) => lookup(hostname, { all: true }, answer)

/**
 * For a connector: the one resolution of a name that a connection is made by. What is checked here is what is connected
 * to, so that a name which leads elsewhere a moment later gains nothing. One forbidden address among many refuses all.
 */
export function checkedLookup(scope: AddressScope, resolve: ResolveName = resolveBySystem): LookupFunction {
  return (hostname, options, answer) => {
    resolve(hostname, (error, addresses) => {
      if (error !== null) { answer(error, []); return; }
      const isAllowed = addresses.length > 0 && addresses.every(({ address }) => isServiceAddress(address, scope))
      const [first] = addresses
      if (!isAllowed || first === undefined) { answer(forbiddenAddress(), []); return; }
      if (options.all === true) { answer(null, [first]); return; }
      answer(null, first.address, first.family);
    })
  }
}

/** @throws {RelayFault} `unavailable` for an origin whose host is an address that a service may not be at: no name is resolved there. */
export function checkLiteral(hostname: string, scope: AddressScope): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (ipaddr.isValid(address) && !isServiceAddress(address, scope)) throw forbiddenAddress()
}

const forbiddenAddress = (): RelayFault => new RelayFault('unavailable', 'the service is at an address where none may be')
