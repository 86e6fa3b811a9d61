import { once } from 'node:events'
import { Server as HttpsServer } from 'node:https'
import { createServer } from 'node:tls'
import { CertificateChecker } from '../pki/certificate-checker.ts'
import { CertificateFault } from '../pki/certificate-fault.ts'
import { readTrust } from '../pki/trust-files.ts'
import { resetConnection, watchConnections } from '../../runtime/connection-reset.ts'
import { TlsFiles } from '../../runtime/tls-files.ts'
import { RelayFault, toFault } from '../../wire/fault.ts'
import { notePresenter } from './presenter.ts'
import type { CertificateRefusal } from '../pki/certificate-fault.ts'
import type { CertificateReading } from '../pki/certificate.ts'
import type { TrustFiles } from '../pki/trust-files.ts'
import type { Logger } from '../../runtime/log.ts'
import type { TlsMaterial } from '../../runtime/tls-files.ts'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Server as TlsServer, TLSSocket } from 'node:tls'
import type { Presenter } from './presenter.ts'

/** How long a client may take for its handshake. */
const HANDSHAKE_MILLIS = 5000
/** How often the certificates of open connections are checked again, and its own read anew where files were replaced. Revocation takes effect within a minute. */
const RECHECK_MILLIS = 20_000
/** Connections at once. */
const MAX_CONNECTIONS = 1024

/** What the registry says of members, as far as a door asks it. */
export interface MemberRegistry {
  /** @param thumbprint - SHA-256 of the certificate (DER), lower-case hexadecimal. */
  isRevoked(thumbprint: string): boolean
  /** @returns Stops listening. */
  changed(listener: () => void): () => void
}

/** What a door for members is made from. */
export interface MembersDoorOptions extends TrustFiles {
  readonly host: string
  readonly port: number
  /** The node's own certificate chain and key, PEM files. */
  readonly certFile: string
  readonly keyFile: string
  /** The server that connections are handed to once their certificate is accepted. */
  readonly server: Server
  /** Undefined: only revocation lists say who is revoked. */
  readonly registry?: MemberRegistry | undefined
  readonly onRefused?: ((reason: CertificateRefusal, thumbprint: string | undefined) => void) | undefined
  /** Tells of new revocation lists. @returns Stops telling. */
  readonly crlsChanged?: ((listener: () => void) => () => void) | undefined
  readonly recheckMillis?: number | undefined
  readonly log: Logger
}

/**
 * The certificate that a client showed; none: it showed none. Node hands over no CA certificates that a client
 * sent along, so that paths are built of the CAs in `caFile`.
 */
function chainOf(socket: TLSSocket): Uint8Array[] {
  const leaf = socket.getPeerX509Certificate()
  return leaf === undefined ? [] : [leaf.raw]
}

/**
 * A listener for nodes and agents: TLS 1.3, and a client certificate of the platform's CA. Connections that are
 * accepted are handed to the node's own HTTP server; all others are closed without a word.
 */
export class MembersDoor {
  readonly port: number
  readonly #server: TlsServer
  readonly #options: MembersDoorOptions
  readonly #checker = new CertificateChecker()
  readonly #open = new Map<TLSSocket, CertificateReading>()
  readonly #timer: NodeJS.Timeout
  readonly #unhear: readonly (() => void)[]
  readonly #files: TlsFiles
  #material: TlsMaterial
  #closing: Promise<void> | undefined

  private constructor(server: TlsServer, files: TlsFiles, options: MembersDoorOptions) {
    this.#files = files
    this.#material = files.read()
    this.#server = server
    this.#options = options
    this.port = (server.address() as AddressInfo).port
    server.on('secureConnection', socket => void this.#admit(socket))
    this.#timer = setInterval(() => {
      this.#reload()
      void this.#recheck()
    }, options.recheckMillis ?? RECHECK_MILLIS)
    this.#unhear = [options.registry?.changed(() => this.#dropRevoked()), options.crlsChanged?.(() => void this.#recheck())].filter(stop => stop !== undefined)
  }

  /** @throws {RelayFault} `bad_config` for material that cannot be used, `address_in_use`. */
  static async open(options: MembersDoorOptions): Promise<MembersDoor> {
    const { host, port, log } = options
    const files = new TlsFiles(options)
    const server = await listenerOf(options, files.read())
    watchConnections(server)
    server.maxConnections = MAX_CONNECTIONS
    server.on('tlsClientError', err => log.debug({ err }, 'a member handshake failed'))
    try {
      server.listen({ host, port })
      await once(server, 'listening')
    } catch (cause) {
      throw new RelayFault('address_in_use', `cannot listen on ${host}:${port}`, { cause })
    }
    return new MembersDoor(server, files, options)
  }

  /** Connections that are open now. */
  get size(): number {
    return this.#open.size
  }

  /** Stops listening and drops open connections. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#shutdown())
  }

  async #shutdown(): Promise<void> {
    clearInterval(this.#timer)
    for (const stop of this.#unhear) stop()
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#open.keys()) socket.destroy()
    await closed
  }

  async #check(chain: readonly Uint8Array[]): Promise<CertificateReading> {
    const trust = await readTrust(this.#options)
    const reading = await this.#checker.check(chain, trust, { purpose: 'clientAuth', nowMillis: Date.now() })
    if (this.#options.registry?.isRevoked(reading.thumbprint) === true) throw new CertificateFault('revoked')
    return reading
  }

  async #admit(socket: TLSSocket): Promise<void> {
    socket.on('error', err => this.#options.log.debug({ err }, 'member connection failed'))
    try {
      const reading = await this.#check(chainOf(socket))
      if (socket.destroyed || this.#closing !== undefined) {
        socket.destroy()
        return
      }
      this.#open.set(socket, reading)
      socket.once('close', () => this.#open.delete(socket))
      notePresenter(socket, presenterFrom(reading))
      const { server } = this.#options
      server.emit(server instanceof HttpsServer ? 'secureConnection' : 'connection', socket)
    } catch (error) {
      this.#refuse(socket, error)
    }
  }

  #refuse(socket: TLSSocket, error: unknown): void {
    const reason = error instanceof CertificateFault ? error.reason : 'other'
    const certificate = socket.getPeerX509Certificate()
    const thumbprint = certificate?.fingerprint256.replaceAll(':', '').toLowerCase()
    this.#options.log.warn({ code: toFault(error).code, reason, thumbprint }, 'a member certificate was refused')
    this.#options.onRefused?.(reason, thumbprint)
    // What was handed to an accepted one may be megabytes of slides.
    if (this.#open.has(socket)) resetConnection(socket)
    else socket.destroy()
  }

  /** What the registry revoked goes at once; lists, validity and CAs are looked at by {@link #recheck}. */
  #dropRevoked(): void {
    for (const [socket, { thumbprint }] of this.#open) {
      if (this.#options.registry?.isRevoked(thumbprint) === true) this.#refuse(socket, new CertificateFault('revoked'))
    }
  }

  /** Shows what a renewal put in the place of its own certificate. */
  #reload(): void {
    const material = this.#files.read()
    if (material === this.#material) return
    this.#material = material
    this.#server.setSecureContext({ ...material, minVersion: 'TLSv1.3' })
    this.#options.log.info('the certificate was replaced, and is shown from now on')
  }

  async #recheck(): Promise<void> {
    const verdicts = new Map<string, unknown>()
    for (const [socket, { thumbprint }] of [...this.#open]) {
      if (socket.destroyed) continue
      if (!verdicts.has(thumbprint)) verdicts.set(thumbprint, await this.#check(chainOf(socket)).then(() => undefined, (error: unknown) => error))
      const error = verdicts.get(thumbprint)
      if (error !== undefined) this.#refuse(socket, error)
    }
  }
}

function presenterFrom({ thumbprint, member }: CertificateReading): Presenter {
  return { certificateThumbprint: thumbprint, ...(member === undefined ? {} : { nodeId: member.nodeId, facilityId: member.facilityId }) }
}

async function listenerOf({ caFile, crlFile }: MembersDoorOptions, material: TlsMaterial): Promise<TlsServer> {
  await readTrust({ caFile, crlFile })
  try {
    // The certificate is judged after the handshake, by the checker, so that the reason is known: nothing is read from the connection before.
    return createServer({ ...material, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: false, handshakeTimeout: HANDSHAKE_MILLIS, ALPNProtocols: ['http/1.1'] })
  } catch (cause) {
    throw new RelayFault('bad_config', 'the node certificate or key is not usable', { cause })
  }
}
