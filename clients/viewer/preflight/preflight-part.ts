import { signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import { judgePreflight } from '../../../relay/wire/preflight-verdict.ts'
import type { PreflightResult } from '../../../relay/wire/preflight.ts'
import type { NodeVoice } from '../session/connection-part.ts'
import type { AuthorizedFetch } from '../access/node-fetch.ts'
import { runPreflight } from './preflight-run.ts'
import type { PreflightStep } from './preflight-run.ts'
import type { NodeDoor } from './probe-session.ts'

/** The check before the case, as somebody started it. */
export class PreflightPart {
  readonly isOpen = signal(false)
  /** What is being done; null while nothing is. */
  readonly step = signal<PreflightStep | null>(null)
  /** Of the last run; null before one ended. */
  readonly results = signal<readonly PreflightResult[] | null>(null)
  /** Why the last run found nothing, or the node did not keep it. */
  readonly fault = signal<RelayFault | null>(null)
  readonly #voice: NodeVoice
  readonly #door: NodeDoor
  readonly #fetch: AuthorizedFetch

  constructor(voice: NodeVoice, door: NodeDoor, fetch: AuthorizedFetch) {
    this.#voice = voice
    this.#door = door
    this.#fetch = fetch
  }

  toggle(): void {
    this.isOpen.value = !this.isOpen.value
  }

  /** Checks everything, and has the node keep what it found. Never rejects. While a run goes on, there is no second one. */
  async run(): Promise<void> {
    if (this.step.value !== null) return
    this.step.value = 'devices'
    this.fault.value = null
    try {
      const measured = await runPreflight({ door: this.#door, fetch: this.#fetch, maySteer: this.#voice.may('moveStage') }, step => (this.step.value = step))
      const results = judgePreflight('viewer', measured)
      this.results.value = results
      await this.#voice.ask('reportPreflight', { end: 'viewer', results })
    } catch (error) {
      this.fault.value = toFault(error)
    } finally {
      this.step.value = null
    }
  }
}
