import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyHelmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** What `npm run build:viewer` makes. */
const BUILT = fileURLToPath(new URL('../../clients/viewer/dist', import.meta.url))
const FILE = 'operator.html'

const CONTENT_SECURITY_POLICY = {
  useDefaults: false,
  directives: { defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'", 'data:'], connectSrc: ["'self'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] },
}

/** Adds the operators' page to a door, at `/operator/`. There is nothing in it that is not public: what it shows it asks for. */
export function addOperatorPage(app: FastifyInstance): void {
  void app.register(async scope => {
    await scope.register(fastifyHelmet, { contentSecurityPolicy: CONTENT_SECURITY_POLICY, referrerPolicy: { policy: 'no-referrer' }, strictTransportSecurity: false })
    if (!existsSync(join(BUILT, FILE))) {
      scope.get('/operator/', (_request, reply) => reply.code(503).type('text/plain').send('The page is not built: npm run build:viewer\n'))
      return
    }
    await scope.register(fastifyStatic, { root: join(BUILT, 'assets'), prefix: '/operator/assets/', maxAge: '1d' })
    scope.get('/operator', (_request, reply) => reply.redirect('/operator/'))
    scope.get('/operator/', (_request, reply) => reply.header('cache-control', 'no-cache').sendFile(FILE, BUILT))
  })
}
