import { join } from 'node:path'
import { encodeIndexedFrame, FrameScanner, INDEX_RECORD_BYTES } from '../../relay/recordings/frame-index.ts'
import { MANIFEST_FILE, RECORDED_PAYLOAD_TYPES, recordedSsrc } from '../../relay/recordings/manifest.ts'
import { parseRtp, serializeRtp } from '../../relay/recordings/rtp-packet.ts'
import { rtpdumpHeader, rtpdumpRecord } from '../../relay/recordings/rtpdump.ts'
import { markCoarse } from '../../relay/wire/coarse-mark.ts'
import { millis, rtpTimestamp, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { PacketOrder } from './packet-order.ts'
import type { FlowedManifest } from '../../relay/recordings/manifest.ts'
import type { PublicationId, RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid, Rendition } from '../../relay/wire/pyramid.ts'
import type { Millis, RtpTimestamp } from '../../relay/wire/units.ts'
import type { GrowingFile, RecordingDisk } from './recording-disk.ts'

/** A rendition that begins with its last keyframe goes back in time: the clock of the files begins so long before their first packet. */
const ORIGIN_MILLIS = 30_000
const ORIGIN_TICKS = (ORIGIN_MILLIS * VIDEO_CLOCK_RATE) / 1000

/** What a {@link SegmentWriter} is made from. */
export interface SegmentOptions {
  /** Exists, and is empty. */
  readonly directory: string
  readonly publicationId: PublicationId
  readonly pyramid: Pyramid
  readonly disk: RecordingDisk
}

/** Files of one rendition, and what waits to be written to them. */
class RenditionFiles {
  readonly #rendition: Rendition
  readonly #index: number
  readonly #order = new PacketOrder()
  readonly #scanner: FrameScanner
  #files: { readonly dump: GrowingFile; readonly index: GrowingFile } | undefined
  #packets: Buffer[] = [rtpdumpHeader()]
  #frames: Buffer[] = []
  #size = rtpdumpHeader().length

  constructor(rendition: Rendition, index: number) {
    this.#rendition = rendition
    this.#index = index
    this.#scanner = new FrameScanner(rendition.codec)
  }

  /** @returns Bytes that are to be written for it. */
  take(datagram: Buffer, base: RtpTimestamp, at: Millis): number {
    const before = this.#size + INDEX_RECORD_BYTES * this.#frames.length
    const { codec } = this.#rendition
    for (const next of this.#order.push(datagram.readUInt16BE(2), datagram)) {
      const packet = parseRtp(next)
      if (packet === undefined) continue
      const moved = { ...packet, payloadType: RECORDED_PAYLOAD_TYPES[codec], ssrc: recordedSsrc(this.#index), timestamp: rtpTimestamp(packet.timestamp - base + 2 ** 32) }
      const record = rtpdumpRecord(serializeRtp(moved), at)
      const frame = this.#scanner.push(moved, { offset: this.#size, byteLength: record.length, time: at })
      this.#packets.push(record)
      this.#size += record.length
      if (frame !== undefined) this.#frames.push(encodeIndexedFrame(frame))
    }
    return this.#size + INDEX_RECORD_BYTES * this.#frames.length - before
  }

  /** The index never says more than is there: packets are written first. */
  async flush(directory: string, disk: RecordingDisk): Promise<void> {
    if (this.#size === rtpdumpHeader().length) return
    const { id } = this.#rendition
    this.#files ??= { dump: await disk.create(join(directory, `${id}.rtpdump`)), index: await disk.create(join(directory, `${id}.index`)) }
    const [packets, frames] = [this.#packets, this.#frames]
    this.#packets = []
    this.#frames = []
    if (packets.length > 0) await this.#files.dump.append(packets)
    if (frames.length > 0) await this.#files.index.append(frames)
  }

  async close(): Promise<void> {
    const { dump, index } = this.#files ?? {}
    await Promise.allSettled([dump?.sync(), index?.sync()])
    await Promise.allSettled([dump?.close(), index?.close()])
  }
}

/** Writes what flows of one publication: a directory with an rtpdump file and an index for each rendition. */
export class SegmentWriter {
  readonly #options: SegmentOptions
  readonly #renditions: ReadonlyMap<RenditionId, RenditionFiles>
  #start: { readonly base: RtpTimestamp; readonly millis: Millis; isManifestWritten: boolean } | undefined
  #pendingBytes = 0

  constructor(options: SegmentOptions) {
    this.#options = options
    this.#renditions = new Map(options.pyramid.renditions.map((rendition, index) => [rendition.id, new RenditionFiles(rendition, index)]))
  }

  /** Taken and not yet written. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Takes one RTP packet. @param at - Since the recording began. */
  take(id: RenditionId, datagram: Buffer, at: Millis): void {
    if (datagram.length < 12) return
    // Even, so that marks of coarse images stay in the lowest bit.
    this.#start ??= { base: rtpTimestamp(markCoarse(datagram.readUInt32BE(4) - ORIGIN_TICKS + 2 ** 32, false)), millis: at, isManifestWritten: false }
    const { base, millis: start } = this.#start
    this.#pendingBytes += this.#renditions.get(id)?.take(datagram, base, millis(at - start + ORIGIN_MILLIS)) ?? 0
  }

  /** Writes what was taken. @throws the system's error. */
  async flush(): Promise<void> {
    if (this.#start === undefined) return
    this.#pendingBytes = 0
    const { directory, disk } = this.#options
    if (!this.#start.isManifestWritten) {
      await this.#writeManifest(this.#start)
      this.#start.isManifestWritten = true
    }
    for (const rendition of this.#renditions.values()) await rendition.flush(directory, disk)
  }

  /** Makes durable what was written. Never rejects. */
  async close(): Promise<void> {
    for (const rendition of this.#renditions.values()) await rendition.close()
  }

  async #writeManifest(start: { readonly base: RtpTimestamp; readonly millis: Millis }): Promise<void> {
    const { directory, disk, pyramid, publicationId } = this.#options
    const manifest: FlowedManifest = {
      version: 3, pyramid, publicationId, rtpBase: start.base, originTicks: ORIGIN_TICKS, startMillis: start.millis,
      renditions: pyramid.renditions.map(({ id }) => ({ id, file: `${id}.rtpdump` })),
    }
    const file = await disk.create(join(directory, MANIFEST_FILE))
    try {
      await file.append([Buffer.from(`${JSON.stringify(manifest)}\n`)])
      await file.sync()
    } finally {
      await file.close()
    }
  }
}
