import { t } from 'tap'
import { RelayFault } from '../relay/wire/fault.ts'
import { decodeClientRequest } from '../relay/wire/signaling.ts'
import { mutatedMessage, randomSource } from './harness/mutation.ts'

const MESSAGES = 50_000
const SEED = 20_261_123
/** Far longer than the slowest message takes on a busy machine; a decoder that counts to what it was told would never end. */
const LONGEST_MILLIS = 1000

t.test(`decodes ${MESSAGES} mutated messages or refuses them, and dwells on none`, async t => {
  const next = randomSource(SEED)
  const surprises: string[] = []
  let accepted = 0
  let longest = 0
  for (let i = 0; i < MESSAGES; i++) {
    const frame = mutatedMessage(next, i).toString()
    const start = performance.now()
    try {
      decodeClientRequest(frame)
      accepted++
    } catch (error) {
      if (!(error instanceof RelayFault) || error.code !== 'bad_message') surprises.push(frame.slice(0, 300))
    }
    longest = Math.max(longest, performance.now() - start)
  }
  t.same(surprises, [])
  t.ok(accepted > MESSAGES / 20 && accepted < MESSAGES / 2, `${accepted} were still valid`)
  t.ok(longest < LONGEST_MILLIS, 'none took long')
})
