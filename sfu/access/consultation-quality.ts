import type { LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { AuditEventInput, MediaDigest } from '../../relay/wire/audit-event.ts'
import type { ConsultationId, MemberId, PublicationId, RenditionId } from '../../relay/wire/ids.ts'
import type { DigestedWindow } from '../../relay/wire/signaling.ts'
import type { WorstExperience } from '../viewer-experience.ts'
import type { Producer } from 'mediasoup/types'

const MINUTE_MILLIS = 60_000

type QualityEvent = Extract<AuditEventInput, { kind: 'quality' }>

/** A publication, as far as its quality is concerned. */
export interface QualityPublication {
  readonly publicationId: PublicationId
  readonly linkName: string
  readonly producers: ReadonlyMap<RenditionId, Pick<Producer, 'getStats'>>
  readonly digests: { takeDone(): DigestedWindow[] } | undefined
  readonly sentDigests: { shift(): DigestedWindow | undefined }
}

/** A consultation, as far as its quality is concerned. */
export interface QualityConsultation {
  readonly id: ConsultationId
  readonly published: QualityPublication | undefined
  readonly viewers: Iterable<{ readonly memberId: MemberId; readonly experience: { takeWorst(publicationId: PublicationId): WorstExperience | undefined } }>
}

/** What {@link ConsultationQuality} stands on. */
export interface ConsultationQualityOptions {
  readonly consultations: () => Iterable<QualityConsultation>
  readonly links: () => readonly LinkSnapshot[]
  /** Never rejects. */
  readonly record: (event: AuditEventInput) => Promise<void>
}

interface Totals {
  readonly packets: number
  readonly bytes: number
  readonly lostPackets: number
}

/** What is remembered of a publication from one minute to the next. */
interface Memory {
  readonly publicationId: PublicationId
  readonly fromMillis: number
  readonly totals: ReadonlyMap<RenditionId, Totals>
  readonly linkLost: number
  /** Digests of one end of which the other has not been heard. */
  readonly waiting: ReadonlyMap<string, { sent?: DigestedWindow; received?: DigestedWindow }>
}

const NOTHING: Totals = { packets: 0, bytes: 0, lostPackets: 0 }

/** Records once a minute how good each consultation is. Owns its timer. */
export class ConsultationQuality implements Disposable {
  readonly #options: ConsultationQualityOptions
  readonly #timer: NodeJS.Timeout
  #memories = new Map<ConsultationId, Memory>()

  constructor(options: ConsultationQualityOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.recordMinute(Date.now()), MINUTE_MILLIS)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Records what was since the last call. @param nowMillis - Milliseconds since the epoch. */
  async recordMinute(nowMillis: number): Promise<void> {
    const before = this.#memories
    this.#memories = new Map()
    const snapshots = this.#options.links()
    for (const { id, published, viewers } of this.#options.consultations()) {
      if (published === undefined) continue
      const known = before.get(id)
      const memory = known?.publicationId === published.publicationId ? known : undefined
      const totals = await readTotals(published.producers)
      const snapshot = snapshots.find(({ link }) => link === published.linkName)
      const linkLost = snapshot?.classes.find(each => each.class === 'live')?.totals.in.deadlineMisses ?? 0
      const { pairs, waiting } = pairDigests(published, memory?.waiting ?? new Map())
      this.#memories.set(id, { publicationId: published.publicationId, fromMillis: nowMillis, totals, linkLost, waiting })
      await this.#options.record({
        kind: 'quality', atMillis: nowMillis, actor: {}, consultationId: id, publicationId: published.publicationId,
        fromMillis: memory?.fromMillis ?? nowMillis - MINUTE_MILLIS,
        link: published.linkName,
        renditions: [...totals].map(([renditionId, now]) => ({ renditionId, ...since(memory?.totals.get(renditionId) ?? NOTHING, now), sent: digestOf(pairs.get(renditionId)?.sent), received: digestOf(pairs.get(renditionId)?.received) })),
        viewers: [...viewers].flatMap(({ memberId, experience }) => viewerOf(memberId, experience.takeWorst(published.publicationId))),
        linkQuality: snapshot === undefined ? null : linkQualityOf(snapshot, Math.max(0, linkLost - (memory?.linkLost ?? 0))),
      })
    }
  }
}

async function readTotals(producers: QualityPublication['producers']): Promise<ReadonlyMap<RenditionId, Totals>> {
  const read = [...producers].map(async ([renditionId, producer]): Promise<[RenditionId, Totals]> => {
    // A producer that closes meanwhile came to nothing more.
    const stats = await producer.getStats().catch(() => [])
    const streams = stats.filter(({ type }) => type === 'inbound-rtp')
    return [renditionId, streams.reduce((sum, { packetCount, byteCount, packetsLost }) => ({ packets: sum.packets + packetCount, bytes: sum.bytes + byteCount, lostPackets: sum.lostPackets + Math.max(0, packetsLost) }), NOTHING)]
  })
  return new Map(await Promise.all(read))
}

const since = (before: Totals, now: Totals): Totals => ({ packets: Math.max(0, now.packets - before.packets), bytes: Math.max(0, now.bytes - before.bytes), lostPackets: Math.max(0, now.lostPackets - before.lostPackets) })

/** Digests of both ends for the same minute of the RTP clock. What one end alone has said waits for one minute more. */
function pairDigests({ digests, sentDigests }: QualityPublication, before: Memory['waiting']): { pairs: ReadonlyMap<RenditionId, { sent?: DigestedWindow; received?: DigestedWindow }>; waiting: Memory['waiting'] } {
  const all = new Map([...before].map(([key, pair]) => [key, { ...pair }]))
  const add = (side: 'sent' | 'received', window: DigestedWindow): void => {
    const key = `${window.renditionId} ${window.window}`
    all.set(key, { ...all.get(key), [side]: window })
  }
  for (const window of digests?.takeDone() ?? []) add('received', window)
  for (let window = sentDigests.shift(); window !== undefined; window = sentDigests.shift()) add('sent', window)
  const pairs = new Map<RenditionId, { sent?: DigestedWindow; received?: DigestedWindow }>()
  const waiting = new Map<string, { sent?: DigestedWindow; received?: DigestedWindow }>()
  for (const [key, pair] of all) {
    const renditionId = (pair.sent ?? pair.received)?.renditionId
    const isWhole = pair.sent !== undefined && pair.received !== undefined
    if (renditionId === undefined) continue
    if (isWhole || before.has(key)) pairs.set(renditionId, pair)
    else waiting.set(key, pair)
  }
  return { pairs, waiting }
}

const digestOf = (window: DigestedWindow | undefined): MediaDigest | null => (window === undefined ? null : { packets: window.packets, bytes: window.bytes, sha256: window.sha256 })

const viewerOf = (memberId: MemberId, worst: WorstExperience | undefined): QualityEvent['viewers'] => {
  if (worst === undefined) return []
  const { framesPerSecond, nativePixelRatio, freezes, longestFreezeMillis } = worst
  return [{ memberId, framesPerSecond, nativePixelRatio, freezes, longestFreezeMillis }]
}

function linkQualityOf({ paths }: LinkSnapshot, lostPackets: number): NonNullable<QualityEvent['linkQuality']> {
  const live = paths.filter(({ state }) => state === 'up')
  const roundTrips = live.flatMap(({ roundTrip }) => roundTrip ?? [])
  return {
    roundTripMillis: roundTrips.length === 0 ? null : Math.min(86_400_000, Math.min(...roundTrips)),
    lossRatio: live.length === 0 ? null : Math.min(1, Math.max(...live.map(({ gauges }) => gauges.in.lossRatio))),
    lostPackets,
  }
}
