import { existsSync } from 'node:fs'
import { Server as HttpsServer } from 'node:https'
import fastifyHelmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import fastify from 'fastify'
import { Registry } from 'prom-client'
import { watchConnections } from '../relay/runtime/connection-reset.ts'
import { TlsFiles } from '../relay/runtime/tls-files.ts'
import { RelayFault, toFault } from '../relay/wire/fault.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { TlsMaterial } from '../relay/runtime/tls-files.ts'
import type { FaultCode } from '../relay/wire/fault.ts'
import type { FastifyInstance } from 'fastify'
import type { Server } from 'node:http'

/** What `GET /healthz` answers. */
export interface Health {
  /** `ok`: every worker runs; `degraded`: some; `failing`: none. */
  readonly status: 'ok' | 'degraded' | 'failing'
  readonly workers: { readonly running: number; readonly configured: number }
  readonly consultations: number
  readonly sessions: number
  /** Microscopes that publish now. */
  readonly publications: number
}

/** What the HTTP server is made from. */
export interface HttpServerOptions {
  readonly host: string
  readonly port: number
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined
  /** The built viewer; without it `/` says how to build it. */
  readonly viewerDir: string
  readonly health: () => Health
  /** Text of the Prometheus exposition format. */
  readonly metrics: () => Promise<string>
  /** The pages of links. */
  readonly links?: { addTo(app: FastifyInstance): void } | undefined
  /** The routes of slides. */
  readonly slides?: { addTo(app: FastifyInstance): void } | undefined
  /** The routes of stills. */
  readonly stills?: { addTo(app: FastifyInstance): void } | undefined
  /** The routes of recordings. */
  readonly recordings?: { addTo(app: FastifyInstance): void } | undefined
  /** The endpoints of WHIP and WHEP. */
  readonly foreign?: { addTo(app: FastifyInstance): void } | undefined
  /** The routes of the check before the case. */
  readonly preflight?: { addTo(app: FastifyInstance): void } | undefined
  /** The routes of grants and decisions. */
  readonly access?: { addTo(app: FastifyInstance): void } | undefined
  /** Services in common. */
  readonly services?: { addTo(app: FastifyInstance): void } | undefined
  /** Asking for a grant. */
  readonly grants?: { addTo(app: FastifyInstance): void } | undefined
  /** Signing in. */
  readonly signIn?: { addTo(app: FastifyInstance): void } | undefined
  /** Another origin that the node's pages may ask: the one where people show their cards. */
  readonly cardOrigin?: (() => string | null) | undefined
  readonly log: Logger
}

const contentSecurityPolicy = (cardOrigin: () => string | null) => ({
  useDefaults: false,
  directives: {
    defaultSrc: ["'self'"],
    scriptSrc: ["'self'"],
    workerSrc: ["'self'", 'blob:'],
    connectSrc: ["'self'", 'ws:', 'wss:', () => cardOrigin() ?? "'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:', 'blob:'],
    mediaSrc: ["'self'", 'blob:', 'mediastream:'],
    frameAncestors: ["'none'"],
    baseUri: ["'none'"],
  },
})

/** Only the worker that decodes JPEG 2000 runs WebAssembly; a worker's policy comes with its own script. @see W3C CSP3 section 4.2.2 */
const CODEC_WORKER = { file: /\/jpeg2000-worker-[\w-]+\.js$/, policy: "default-src 'none';script-src 'self' 'wasm-unsafe-eval';connect-src 'self'" }

const STATUS: Partial<Record<FaultCode, number>> = { not_found: 404, overloaded: 503, unavailable: 503 }

/** How often it is looked whether a renewal replaced the certificate. */
const RELOAD_MILLIS = 20_000

function createFastify(tls: TlsMaterial | undefined): FastifyInstance {
  // fastify's type differs with the server below it; from here on only the common part is used.
  if (tls === undefined) return fastify({ logger: false, bodyLimit: 64 * 1024 })
  try {
    const app: unknown = fastify({ logger: false, bodyLimit: 64 * 1024, https: { ...tls, minVersion: 'TLSv1.3' } })
    return app as FastifyInstance
  } catch (cause) {
    throw new RelayFault('bad_config', 'the TLS certificate or key is not usable', { cause })
  }
}

/** Shows what was put in the place of the certificate, from the next connection on. @returns Stops looking. */
function reload(server: Server, files: TlsFiles): () => void {
  let shown = files.read()
  const timer = setInterval(() => {
    const material = files.read()
    if (material === shown || !(server instanceof HttpsServer)) return
    shown = material
    server.setSecureContext({ ...material, minVersion: 'TLSv1.3' })
  }, RELOAD_MILLIS).unref()
  return () => clearInterval(timer)
}

/** The node's HTTP side: the viewer, `/healthz`, `/metrics`, `/links`, `/slides`, `/stills`, `/preflight`, `/access`, `/services`, `/whip` and `/whep`. Signaling is attached to {@link server}. */
export class HttpServer {
  readonly #app: FastifyInstance
  /** Where it listens: scheme, host and port. */
  readonly origin: string

  private constructor(app: FastifyInstance, origin: string) {
    this.#app = app
    this.origin = origin
  }

  /** @throws {RelayFault} `bad_config` for unusable TLS material, `address_in_use` when the port is taken. */
  static async open(options: HttpServerOptions): Promise<HttpServer> {
    const files = options.tls === undefined ? undefined : new TlsFiles(options.tls)
    const app = createFastify(files?.read())
    if (files !== undefined) {
      const stop = reload(app.server, files)
      app.addHook('onClose', (_app, done) => {
        stop()
        done()
      })
    }
    await app.register(fastifyHelmet, {
      contentSecurityPolicy: contentSecurityPolicy(options.cardOrigin ?? (() => null)),
      referrerPolicy: { policy: 'no-referrer' },
      strictTransportSecurity: options.tls !== undefined,
    })
    // Helmet knows no such header. Only the node's own pages may ask for a microphone. @see W3C permissions-policy
    app.addHook('onSend', (_request, reply, _payload, done) => {
      void reply.header('permissions-policy', 'camera=(), geolocation=(), microphone=(self)')
      done()
    })
    watchConnections(app.server)
    addRoutes(app, options)
    try {
      await app.listen({ host: options.host, port: options.port })
    } catch (cause) {
      await app.close()
      throw new RelayFault('address_in_use', `cannot listen on ${options.host}:${options.port}`, { cause })
    }
    const address = app.server.address()
    const port = typeof address === 'object' && address !== null ? address.port : options.port
    const host = options.host.includes(':') ? `[${options.host}]` : options.host
    return new HttpServer(app, `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`)
  }

  /** The server below, for signaling to attach to. */
  get server(): Server {
    return this.#app.server
  }

  /** Stops listening and drops open connections. */
  async close(): Promise<void> {
    this.#app.server.closeAllConnections()
    await this.#app.close()
  }
}

function addRoutes(app: FastifyInstance, { metrics, health, links, slides, stills, recordings, preflight, foreign, access, grants, signIn, services, viewerDir, log }: HttpServerOptions): void {
  app.get('/healthz', (_request, reply) => {
    const now = health()
    return reply.code(now.status === 'failing' ? 503 : 200).header('cache-control', 'no-store').send(now)
  })
  app.get('/metrics', async (_request, reply) => {
    return reply.header('cache-control', 'no-store').type(Registry.PROMETHEUS_CONTENT_TYPE).send(await metrics())
  })
  links?.addTo(app)
  slides?.addTo(app)
  stills?.addTo(app)
  recordings?.addTo(app)
  foreign?.addTo(app)
  preflight?.addTo(app)
  access?.addTo(app)
  grants?.addTo(app)
  signIn?.addTo(app)
  services?.addTo(app)
  if (existsSync(viewerDir)) {
    // File names carry a hash of their content, except the page that names them.
    void app.register(fastifyStatic, { root: viewerDir, maxAge: '1d', setHeaders: (response, path) => {
      if (path.endsWith('.html')) void response.header('cache-control', 'no-cache')
      if (CODEC_WORKER.file.test(path)) void response.header('content-security-policy', CODEC_WORKER.policy)
    } })
  } else {
    app.get('/', (_request, reply) => reply.code(503).type('text/plain').send('The viewer is not built: npm run build:viewer\n'))
  }
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const fault = toFault(error)
    const status = error.statusCode ?? STATUS[fault.code] ?? 500
    if (status >= 500) log.error({ err: error }, 'http request failed')
    return reply.code(status).send({ code: fault.code })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ code: 'not_found' }))
}
