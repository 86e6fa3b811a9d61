import { toFault } from '../../wire/fault.ts'
import { addRetrieveRoutes } from './retrieve-routes.ts'
import { addSearchRoutes } from './search-routes.ts'
import { SlideCatalogue } from './slide-catalogue.ts'
import { addStoreRoutes } from './store-routes.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { SlideId } from '../../wire/ids.ts'
import type { DicomwebSource } from './dicomweb-source.ts'
import type { MayRead } from './slide-catalogue.ts'
import type { StowSink } from './store-routes.ts'
import type { PartLimits } from './multipart.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** What a request wants to do. */
export type DicomwebAction = 'search' | 'retrieve' | 'store'

/** Says which slides whoever sent a request may see; cuts the reply when that right ends. @throws {RelayFault} `grant_refused` (403) or `invitation_refused` (401). */
export type Authorise = (request: FastifyRequest, reply: FastifyReply, action: DicomwebAction) => Promise<MayRead>

/** Told of what is about to be sent. @throws {RelayFault} when it may not be. */
export type OnRetrieve = (request: FastifyRequest, slideId: SlideId) => Promise<void>

/** Says where the instances of a request go. */
export type SinkOf = (request: FastifyRequest) => Promise<StowSink>

/** What DICOMweb stands on. */
export interface DicomwebOptions {
  readonly slides: DicomwebSource
  readonly authorise: Authorise
  /** Settles before instances are sent. */
  readonly onRetrieve?: OnRetrieve | undefined
  /** Where the routes are reached from outside, without a slash at the end. */
  readonly publicUrl: string
  /** Where the instances of an upload go; without it nothing can be uploaded. @throws {RelayFault} As `authorise`. */
  readonly sink?: SinkOf | undefined
  /** Of one upload. */
  readonly limits?: PartLimits | undefined
}

/** What the routes share. */
export interface DicomwebContext {
  readonly catalogue: SlideCatalogue
  readonly authorise: Authorise
  readonly onRetrieve: OnRetrieve
  readonly publicUrl: string
}

/** UIDs in a path. */
export interface UidParams {
  readonly study: string
  readonly series: string
  readonly instance: string
}

const STATUS: Partial<Record<FaultCode, number>> = {
  bad_message: 400,
  invitation_refused: 401,
  invitation_expired: 401,
  token_refused: 401,
  grant_refused: 403,
  wrong_role: 403,
  policy_refused: 403,
  consent_withdrawn: 403,
  access_revoked: 403,
  not_found: 404,
  out_of_range: 404,
  quota_exceeded: 413,
  unsupported_media: 415,
  not_recorded: 503,
  overloaded: 503,
  unavailable: 503,
  storage_full: 507,
}

/** Uploads are bounded by what a day's slides need, not by memory: nothing is kept of them there. */
const DEFAULT_LIMITS: PartLimits = { parts: 256, bytes: 64 * 1024 ** 3 }

/**
 * DICOMweb for all complete slides: QIDO-RS, WADO-RS and, with a sink, STOW-RS. A fastify plugin; register it with a prefix.
 *
 * @see PS3.18 section 10
 */
export function dicomwebRoutes(app: FastifyInstance, { slides, authorise, onRetrieve = () => Promise.resolve(), publicUrl, sink, limits = DEFAULT_LIMITS }: DicomwebOptions): Promise<void> {
  const context: DicomwebContext = { catalogue: new SlideCatalogue(slides), authorise, onRetrieve, publicUrl }
  app.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'))
  app.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) => {
    const fault = toFault(error)
    const status = error.statusCode ?? STATUS[fault.code] ?? 500
    // What an internal error says is for the log of whoever wired this, not for a peer.
    void reply.code(status).type('application/json').send({ code: fault.code })
  })
  addSearchRoutes(app, context)
  addRetrieveRoutes(app, context)
  if (sink !== undefined) addStoreRoutes(app, context, sink, limits)
  return Promise.resolve()
}
