/**
 * Brings damaged certificates, certification requests and OCSP requests to their parsers:
 * `node test/access/fuzz-certificates.ts --count 100000 --seed 1`. Each is taken or refused with
 * `certificate_refused`; anything else ends it with the input that did it.
 */
import { parseArgs } from 'node:util'
import { certificateParsers, fuzzParser } from '../harness/fuzzed-parsers.ts'
import { randomSource } from '../harness/mutation.ts'

const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } } })
for (const parser of await certificateParsers()) {
  console.log(JSON.stringify(await fuzzParser(parser, Number(values.count), randomSource(Number(values.seed)))))
}
