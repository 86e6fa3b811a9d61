import { signal } from '@preact/signals'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { StillId } from '../../../relay/wire/ids.ts'
import type { Notification } from '../../../relay/wire/signaling.ts'
import type { StillSummary } from '../../../relay/wire/still.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { AuthorizedFetch } from '../access/node-fetch.ts'
import type { ConnectionPart, NodeVoice } from '../session/connection-part.ts'

/** What there is of a still to fetch. */
export type StillFile = 'planes' | 'png' | 'sidecar'
const EXTENSIONS: Record<StillFile, string> = { planes: 'yuv', png: 'png', sidecar: 'json' }
const REVOKE_MS = 10_000

/** A still in place of the live image. */
export interface OpenStill {
  readonly still: StillSummary
  /** Of its PNG, in this page's memory. */
  readonly url: string
}

/** Keeps frames, knows the stills of the consultation, and opens them. */
export class StillsPart implements ConnectionPart {
  /** Oldest first. */
  readonly stills = signal<readonly StillSummary[]>([])
  /** What this viewer kept last; its state is in {@link stills}. */
  readonly last = signal<StillId | null>(null)
  /** Why the last one was not even asked for, or could not be fetched: {@link attempt} says which. */
  readonly fault = signal<RelayFault | null>(null)
  /** What was tried last. */
  readonly attempt = signal<'keep' | 'fetch'>('keep')
  readonly open = signal<OpenStill | null>(null)
  /** Being fetched. */
  readonly opening = signal<StillId | null>(null)
  readonly #voice: NodeVoice
  readonly #authorizedFetch: AuthorizedFetch

  constructor(voice: NodeVoice, fetch: AuthorizedFetch) {
    this.#voice = voice
    this.#authorizedFetch = fetch
  }

  /** The next session begins with those that there are by then; none of these is on its way any more. */
  lost(): void {
    this.stills.value = []
  }

  heard(notification: Notification): void {
    if (notification.type === 'stillsChanged') this.stills.value = notification.stills
  }

  /** Keeps the frame that is on the canvas. @param rtpTimestamp - Undefined where none is, or it cannot be told which. */
  async keep(rtpTimestamp: RtpTimestamp | undefined): Promise<void> {
    this.attempt.value = 'keep'
    this.fault.value = null
    this.last.value = null
    try {
      if (rtpTimestamp === undefined) throw new RelayFault('not_found', 'no frame is shown that could be named')
      const { stillId } = await this.#voice.askOfPublication('keepStill', { rtpTimestamp })
      this.last.value = stillId
    } catch (error) {
      this.fault.value = toFault(error)
    }
  }

  /** The news of the last one is read. */
  dismiss(): void {
    this.last.value = null
    this.fault.value = null
  }

  /** Shows a still in place of the live image; null goes back. */
  async show(stillId: StillId | null): Promise<void> {
    this.#close()
    this.opening.value = stillId
    const still = this.stills.value.find(each => each.stillId === stillId)
    if (stillId === null || still === undefined) return
    try {
      const blob = await this.#fetch(stillId, 'png')
      if (this.opening.value === stillId) this.open.value = { still, url: URL.createObjectURL(blob) }
    } catch (error) {
      this.fault.value = toFault(error)
    } finally {
      if (this.opening.value === stillId) this.opening.value = null
    }
  }

  /** Hands a file of a still to the browser. */
  async save(stillId: StillId, file: StillFile): Promise<void> {
    try {
      const url = URL.createObjectURL(await this.#fetch(stillId, file))
      Object.assign(document.createElement('a'), { href: url, download: `${stillId}.${EXTENSIONS[file]}` }).click()
      setTimeout(() => URL.revokeObjectURL(url), REVOKE_MS)
    } catch (error) {
      this.fault.value = toFault(error)
    }
  }

  #close(): void {
    if (this.open.value !== null) URL.revokeObjectURL(this.open.value.url)
    this.open.value = null
  }

  async #fetch(stillId: StillId, file: StillFile): Promise<Blob> {
    this.attempt.value = 'fetch'
    this.fault.value = null
    const response = await this.#authorizedFetch(`/stills/${stillId}/${file}`)
    return response.blob()
  }
}
