/** Reads a hundred thousand mutated certificates of cards: each is read or refused. Usage: node test/access/mutated-certificates.ts [count] */
import { readProfessions } from '../../relay/access/practitioners/hc-role.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { CardIssuer } from '../harness/hpki-card.ts'
import { mutatedDer } from '../harness/mutated-der.ts'
import { randomSource } from '../harness/mutation.ts'

const count = Number(process.argv[2] ?? 100_000)
const { der } = await (await CardIssuer.create()).issue()
const next = randomSource(1)
let read = 0
let refused = 0
let slowestMillis = 0
for (let round = 0; round < count; round++) {
  const input = mutatedDer(der, next)
  const start = performance.now()
  try {
    readProfessions(input)
    read++
  } catch (error) {
    if (!(error instanceof RelayFault) || error.code !== 'certificate_refused') throw error
    refused++
  }
  slowestMillis = Math.max(slowestMillis, performance.now() - start)
}
process.stdout.write(`${count} certificates: ${refused} refused, ${read} read, 0 other; the slowest took ${slowestMillis.toFixed(1)} ms\n`)
