import { signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import { chooseLanguage } from '../i18n.ts'
import { coreApi } from './core-api.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { OperatorOverview } from '../../../relay/wire/operator.ts'
import type { Language } from '../i18n.ts'
import type { OperatorTextKey } from './words.ts'

/** The sections of the page, in their order. */
export const SECTIONS = ['members', 'links', 'consultations', 'grants', 'services', 'audit', 'approvals'] as const
export type Section = (typeof SECTIONS)[number]

const POLL_MILLIS = 2000
const TICK_MILLIS = 1000

/** What is asked before something is done that cannot be taken back. */
export interface Question {
  readonly title: OperatorTextKey
  readonly text: OperatorTextKey
  /** What it is done to. */
  readonly name: string
  /** The word on the button that does it. */
  readonly verb: OperatorTextKey
  readonly act: () => Promise<unknown>
}

/** How what was asked for last went. */
export interface Tidings {
  readonly key: 'done' | 'refused'
  readonly text: string
}

/** What the page shows, and where it comes from. */
export class OperatorState {
  readonly language = signal<Language>(chooseLanguage([new URLSearchParams(location.search).get('lang') ?? '', ...navigator.languages].filter(tag => tag !== '')))
  readonly section = signal<Section>(sectionIn(location.hash))
  readonly overview = signal<OperatorOverview | undefined>(undefined)
  /** Why there is none; undefined while there is. */
  readonly failure = signal<FaultCode | undefined>(undefined)
  /** Milliseconds since the epoch, once a second. */
  readonly now = signal(Date.now())
  readonly heardAt = signal(Date.now())
  readonly question = signal<Question | undefined>(undefined)
  readonly tidings = signal<Tidings | undefined>(undefined)

  /** Asks the core again and again, as long as the page is there. */
  run(): void {
    addEventListener('hashchange', () => {
      this.section.value = sectionIn(location.hash)
      this.tidings.value = undefined
    })
    setInterval(() => (this.now.value = Date.now()), TICK_MILLIS)
    void this.#poll()
  }

  /** Asks the core now. */
  async refresh(): Promise<void> {
    try {
      this.overview.value = await coreApi.overview()
      this.failure.value = undefined
      this.heardAt.value = this.now.value = Date.now()
    } catch (error) {
      this.failure.value = toFault(error).code
    }
  }

  /** Does something, says how it went, and shows what has become of it. @returns Whether it was done. */
  async act(name: string, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      this.tidings.value = { key: 'done', text: name }
      return true
    } catch (error) {
      const { code, message } = toFault(error)
      this.tidings.value = { key: 'refused', text: `${name}: ${code}${message === '' ? '' : ` (${message})`}` }
      return false
    } finally {
      await this.refresh()
    }
  }

  async #poll(): Promise<void> {
    if (document.visibilityState === 'visible') await this.refresh()
    setTimeout(() => void this.#poll(), POLL_MILLIS)
  }
}

const sectionIn = (hash: string): Section => SECTIONS.find(section => hash === `#${section}`) ?? 'members'
