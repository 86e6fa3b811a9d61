import { Registry } from 'prom-client'
import { createLogger } from '../../relay/runtime/log.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { LOCAL_LINK, createNodeMetrics } from '../../sfu/node-metrics.ts'
import { MediaRoom } from '../../sfu/media-room.ts'
import { PublishedMedia } from '../../sfu/published-media.ts'
import { StatsCollector } from '../../sfu/stats-collector.ts'
import { ViewerExperience } from '../../sfu/viewer-experience.ts'
import { WorkerPool } from '../../sfu/worker-pool.ts'
import { ingestAll } from './bare-mediasoup.ts'
import { RECEIVER_CAPABILITIES, writeOffer } from '../receiver/offer.ts'
import type { Consultation } from '../../sfu/consultation.ts'
import type { DtlsParameters } from 'mediasoup/types'
import type { ViewerMedia } from '../../sfu/viewer-media.ts'
import type { MediasoupHost, OpenCommand } from './bare-mediasoup.ts'

/** A node's own interval. @see sfu/config.ts */
const STATS_INTERVAL_SECONDS = 2

/**
 * The media plane of a node: its workers, a room, a publication with flow control, viewers' transports and the
 * statistics that it reads. Without signaling and without a link, which ends before a picture is fanned out.
 */
export async function openKenkyoMedia(command: OpenCommand): Promise<MediasoupHost> {
  const { pyramid } = command
  const log = createLogger({ level: 'warn', program: 'fanout' })
  const pool = await WorkerPool.open(1, { ip: '127.0.0.1', basePort: command.mediaPort }, log, () => undefined)
  const room = await MediaRoom.open(pool.leastLoaded())
  const transport = await room.createPlainTransport()
  const ingested = await ingestAll(transport, command)
  const producers = new Map(pyramid.renditions.flatMap(({ id }, index) => ingested.slice(index, index + 1).map(producer => [id, producer] as const)))
  const published = new PublishedMedia(
    { pyramid, stage: null },
    { transport, producers, linkName: LOCAL_LINK, clockOffset: () => undefined, lost: Promise.withResolvers<RelayFault>().promise },
    () => undefined,
  )
  const viewers: { readonly media: ViewerMedia; readonly experience: ViewerExperience }[] = []
  const consultations = [{ published, viewers }] as unknown as Consultation[]
  new StatsCollector(createNodeMetrics(new Registry()), pool, () => consultations, STATS_INTERVAL_SECONDS, log)
  return {
    port: transport.tuple.localPort,
    offer: async () => {
      const media = await room.createViewerMedia(() => undefined)
      viewers.push({ media, experience: new ViewerExperience() })
      const { consumers } = await media.subscribe(published, RECEIVER_CAPABILITIES)
      return {
        sdp: writeOffer({ ...media.describe(), iceServers: [] }, consumers),
        accept: async dtlsParameters => {
          await media.connect(dtlsParameters as DtlsParameters)
          const { withheld } = await media.watch({ type: 'watch', requestId: 0, publicationId: published.publicationId, renditions: pyramid.renditions.map(({ id }) => id), prefetch: [] })
          if (withheld.length > 0) throw new RelayFault('unavailable', 'a line was taken to be too narrow')
        },
      }
    },
  }
}
