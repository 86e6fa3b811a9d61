import { once } from 'node:events'
import { createServer } from 'node:https'
import { TLSSocket } from 'node:tls'
import { CertificateChecker } from '../../relay/access/pki/certificate-checker.ts'
import { CertificateFault } from '../../relay/access/pki/certificate-fault.ts'
import { readTrust } from '../../relay/access/pki/trust-files.ts'
import { HPKI, readProfessions } from '../../relay/access/practitioners/hc-role.ts'
import { PossessionVerifier } from '../../relay/access/grants/proof-of-possession.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { TlsFiles } from '../../relay/runtime/tls-files.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { HTTP_STATUS } from '../http-status.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TrustFiles } from '../../relay/access/pki/trust-files.ts'
import type { SignInEvidence } from '../../relay/access/practitioners/sign-in-tokens.ts'
import type { RegistryView } from '../../relay/access/registry/registry.ts'
import type { TlsMaterial } from '../../relay/runtime/tls-files.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { SignInAnswer } from '../../relay/wire/sign-in.ts'
import type { SignInDesk } from './sign-in-desk.ts'
import type { SignInLimiter } from './sign-in-limiter.ts'

const HANDSHAKE_MILLIS = 10_000
const REQUEST_MILLIS = 10_000
/** How often it is looked whether a renewal replaced the certificate. */
const RELOAD_MILLIS = 20_000
const MAX_CONNECTIONS = 256
const MAX_HEADER_BYTES = 16 * 1024

/** What the door is made from. `caFile` holds the authorities whose cards are taken. */
export interface SignInDoorOptions extends TrustFiles {
  readonly host: string
  readonly port: number
  /** Where browsers reach it; without it, where it listens. */
  readonly publicOrigin?: string | undefined
  /** Certificate chain and key of the listener, PEM files. */
  readonly certFile: string
  readonly keyFile: string
  /** The node's own pages: the only ones that may ask. */
  readonly pageOrigin: string
  /** Whose card is whose. No name on a card is looked at: names can be made to look alike. */
  readonly registry: Pick<RegistryView, 'practitionerWith'>
  readonly desk: Pick<SignInDesk, 'signIn'>
  readonly limiter: SignInLimiter
  readonly reloadMillis?: number | undefined
  readonly log: Logger
}

/** A listener where doctors sign in with their card, which the operating system presents as a TLS client certificate. TLS 1.3 only. */
export class SignInDoor {
  readonly origin: string
  readonly #server: Server
  readonly #files: TlsFiles
  #material: TlsMaterial
  readonly #timer: NodeJS.Timeout
  readonly #options: SignInDoorOptions
  readonly #checker = new CertificateChecker()
  readonly #proofs: PossessionVerifier
  #closing: Promise<void> | undefined

  private constructor(server: Server, files: TlsFiles, options: SignInDoorOptions) {
    this.#server = server
    this.#files = files
    this.#material = files.read()
    this.#timer = setInterval(() => this.#reload(), options.reloadMillis ?? RELOAD_MILLIS).unref()
    this.#options = options
    const host = options.host.includes(':') ? `[${options.host}]` : options.host
    this.origin = options.publicOrigin ?? `https://${host}:${(server.address() as AddressInfo).port}`
    this.#proofs = new PossessionVerifier({ origin: () => this.origin })
    server.on('request', (request, response) => void this.#answer(request, response))
  }

  /** @throws {RelayFault} `bad_config` for material that cannot be used, `address_in_use`. */
  static async open(options: SignInDoorOptions): Promise<SignInDoor> {
    const { certFile, keyFile, caFile, host, port, log } = options
    const files = new TlsFiles({ certFile, keyFile, caFile })
    let server: Server
    try {
      // Judged at the request, so that the reason is known, and because browsers ask without a certificate whether they may (CORS).
      server = createServer({ ...files.read(), minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: false, handshakeTimeout: HANDSHAKE_MILLIS, requestTimeout: REQUEST_MILLIS, headersTimeout: REQUEST_MILLIS, maxHeaderSize: MAX_HEADER_BYTES })
    } catch (cause) {
      throw new RelayFault('bad_config', 'the certificate or key of the sign-in is not usable', { cause })
    }
    server.maxConnections = MAX_CONNECTIONS
    server.on('tlsClientError', err => log.debug({ err }, 'a sign-in handshake failed'))
    try {
      server.listen({ host, port })
      await once(server, 'listening')
    } catch (cause) {
      throw new RelayFault('address_in_use', `cannot listen on ${host}:${port}`, { cause })
    }
    return new SignInDoor(server, files, options)
  }

  /** Stops listening and drops open connections. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#shutdown())
  }

  async #shutdown(): Promise<void> {
    clearInterval(this.#timer)
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  /** Shows what a renewal put in the place of its own certificate, and names the authorities whose cards are taken by now. */
  #reload(): void {
    const material = this.#files.read()
    if (material === this.#material) return
    this.#material = material
    this.#server.setSecureContext({ ...material, minVersion: 'TLSv1.3' })
    this.#options.log.info('the certificate of the sign-in was replaced, and is shown from now on')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('cache-control', 'no-store')
    response.setHeader('vary', 'origin')
    request.resume()
    try {
      if (request.url !== '/sign-in') throw new RelayFault('not_found', 'there is nothing here')
      this.#requireOwnPage(request, response)
      if (request.method === 'OPTIONS') response.writeHead(204, { 'access-control-allow-methods': 'POST', 'access-control-allow-headers': 'dpop', 'access-control-max-age': '600' }).end()
      else if (request.method === 'POST') reply(response, 200, await this.#signIn(request))
      else throw new RelayFault('not_found', 'there is nothing here')
    } catch (error) {
      const { code } = toFault(error)
      const reason = error instanceof CertificateFault ? error.reason : undefined
      if (code === 'internal') this.#options.log.error({ err: error }, 'a sign-in failed')
      else this.#options.log.warn({ code, reason }, 'a sign-in was refused')
      const statuses: Partial<Record<string, number>> = HTTP_STATUS
      reply(response, statuses[code] ?? 500, { code })
    }
  }

  /** Another page could otherwise sign in with the card that is in the reader. */
  #requireOwnPage({ headers }: IncomingMessage, response: ServerResponse): void {
    const { pageOrigin } = this.#options
    if (headers.origin !== pageOrigin) throw new RelayFault('policy_refused', 'only pages of this node may ask')
    response.setHeader('access-control-allow-origin', pageOrigin)
    response.setHeader('access-control-allow-credentials', 'true')
  }

  #signIn(request: IncomingMessage): Promise<SignInAnswer> {
    this.#options.limiter.take(request.socket.remoteAddress, systemClock.now())
    const proof = request.headers['dpop']
    const possession = { proof: typeof proof === 'string' ? proof : undefined, method: 'POST', path: '/sign-in' }
    return this.#options.desk.signIn('hpki', possession, () => this.#prove(request), this.#proofs)
  }

  async #prove({ socket }: IncomingMessage): Promise<SignInEvidence> {
    const leaf = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
    const chain = leaf === undefined ? [] : [leaf.raw]
    const reading = await this.#checker.check(chain, await readTrust(this.#options), { purpose: 'clientAuth', policies: [HPKI.authenticationPolicy], nowMillis: Date.now() })
    readProfessions(reading.der)
    const practitioner = this.#options.registry.practitionerWith(reading.thumbprint)
    if (practitioner === undefined) throw new CertificateFault('name_mismatch')
    return { practitionerId: practitioner.id, methods: ['sc'], certificate: reading.thumbprint, holdsUntilMillis: reading.notAfterMillis }
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
