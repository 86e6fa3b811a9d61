import { t } from 'tap'
import { createLogger } from '../../relay/runtime/log.ts'
import { createRegistry } from '../../relay/runtime/metrics.ts'
import { Sha256 } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { SlideMetrics } from './slide-metrics.ts'
import { StoreVerification } from './store-verification.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { StoreDefect } from '../../relay/slides/store/slide-store.ts'

/** Every sleep is over when it is woken, or fails with its signal. */
class WokenClock implements Clock {
  readonly slept: number[] = []
  #asleep = Promise.withResolvers<undefined>()
  #wake = Promise.withResolvers<undefined>()

  now(): ReturnType<Clock['now']> {
    return millis(0)
  }

  async sleep(duration: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(duration)
    const aborted = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true }))
    this.#asleep.resolve(undefined)
    await Promise.race([this.#wake.promise, aborted])
  }

  /** Ends a sleep. @returns When the next has begun. */
  async wake(): Promise<void> {
    await this.#asleep.promise
    const wake = this.#wake
    this.#wake = Promise.withResolvers()
    this.#asleep = Promise.withResolvers()
    const next = this.#asleep.promise
    wake.resolve(undefined)
    await next
  }
}

t.test('counts what every pass reads and finds, and goes on after one that fails', async t => {
  const registry = createRegistry()
  const metrics = new SlideMetrics(registry)
  const chunk = Sha256.parse('0'.repeat(64))
  const passes: (StoreDefect['kind'][] | undefined)[] = [[], ['chunk_damaged', 'chunk_missing', 'chunk_damaged'], undefined, []]
  const store = {
    verify: (onDefect: (defect: StoreDefect) => void): Promise<{ checked: number }> => {
      const found = passes.shift()
      for (const kind of found ?? []) onDefect({ kind, chunk })
      return found === undefined ? Promise.reject(new Error('the disk is gone')) : Promise.resolve({ checked: 10 })
    },
  }
  const clock = new WokenClock()
  const verification = new StoreVerification({ store, interval: millis(1234), metrics, clock, log: createLogger({ level: 'silent', program: 'node' }) })
  for (let pass = 0; pass < 4; pass++) await clock.wake()
  await verification[Symbol.asyncDispose]()
  t.same(clock.slept, [1234, 1234, 1234, 1234, 1234])
  t.equal((await metrics.verified.get()).values[0]?.value, 30)
  t.same(new Map((await metrics.defects.get()).values.map(({ labels, value }) => [labels.defect, value])), new Map([['damaged', 2], ['missing', 1]]))
})
