import { isDisturbed, longestRoundTrip, longestWay } from './link-judge.ts'
import { MESSAGE_CLASSES } from './traffic-book.ts'
import type { Check } from './link-judge.ts'
import type { NetworkRun } from './network-run.ts'
import type { TrafficBook } from './traffic-book.ts'

/** A message is repaired in fewer rounds than this, even through bursts of a tenth. */
const ROUNDS = 8
/** Of bursts that both a request and its copy fall into there may be several in a row. */
const ROUND_SLACK_MILLIS = 60

/** Judges everything that has to arrive. */
export function judgeMessages(run: NetworkRun): Check[] {
  const checks: Check[] = []
  for (const [direction, book] of [['up', run.up], ['down', run.down]] as const) {
    for (const id of MESSAGE_CLASSES) {
      const { disorders, damaged, unknown } = book.mistakes[id]
      const entries = book.messages[id]
      const missing = entries.filter(({ arrivals }) => arrivals === 0).length
      const repeated = entries.filter(({ arrivals }) => arrivals > 1).length
      const untold = entries.filter(({ isTold, arrivals }) => !isTold && arrivals > 0).length
      checks.push({ invariant: 'message_whole', value: disorders + damaged + unknown + missing + repeated, bound: 0, evidence: JSON.stringify({ direction, id, disorders, damaged, unknown, missing, repeated, untold }) })
    }
    checks.push(...starvation(run, book, direction))
  }
  return checks
}

/** What one message takes at most: its turn, the way with a full queue, and rounds of repair. */
function starvation({ network }: NetworkRun, book: TrafficBook, direction: string): Check[] {
  const delays = book.messages.control.filter(({ arrivals }) => arrivals > 0).map(({ sentAt, arrivedAt }) => arrivedAt - sentAt)
  if (delays.length === 0 || isDisturbed(network.events)) return []
  const round = longestWay(network) + longestRoundTrip(network) + ROUND_SLACK_MILLIS
  return [{ invariant: 'control_starved', value: Math.max(...delays), bound: ROUNDS * round, evidence: direction }]
}
