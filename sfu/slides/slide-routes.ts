import { addAnnotationRoutes } from './annotation-routes.ts'
import { addScannerRoutes } from './scanner-routes.ts'
import { refuseByCode } from './slide-replies.ts'
import { addViewerRoutes } from './viewer-routes.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AnnotationRoutesOptions } from './annotation-routes.ts'
import type { ScannerRoutesOptions } from './scanner-routes.ts'
import type { ViewerRoutesOptions } from './viewer-routes.ts'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'

/** What the routes of slides stand on. */
export interface SlideRoutesOptions extends ScannerRoutesOptions, ViewerRoutesOptions {
  readonly colourOf: AnnotationRoutesOptions['colourOf']
  readonly onAnnotationsStored: AnnotationRoutesOptions['onStored']
  readonly log: Logger
}

/** A plugin with all routes of slides; to be registered under `/slides`. `docs/SLIDES.md` is the normative text. */
export function slideRoutes(options: SlideRoutesOptions): FastifyPluginCallback {
  return (app, _options, done) => {
    refuseByCode(app, options.log)
    addParsers(app)
    addScannerRoutes(app, options)
    addViewerRoutes(app, options)
    addAnnotationRoutes(app, { access: options.access, catalogue: options.catalogue, recorder: options.recorder, colourOf: options.colourOf, onStored: options.onAnnotationsStored })
    done()
  }
}

function addParsers(app: FastifyInstance): void {
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.addContentTypeParser('application/geo+json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'))
}
