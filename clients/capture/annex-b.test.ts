import fc from 'fast-check'
import { t } from 'tap'
import { RelayFault } from '../../relay/wire/fault.ts'
import { unpackH264 } from './annex-b.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

t.test('unpacks single units, aggregates and fragments', async t => {
  const frame = unpackH264([bytes('18 0002 6742 0003 68ce3c'), bytes('7c 85 aabb'), bytes('7c 05 cc'), bytes('7c 45 dd'), bytes('41 ee')])
  t.equal(frame.toString('hex'), '000000016742' + '0000000168ce3c' + '0000000165aabbccdd' + '0000000141ee')
})

t.test('refuses what does not fit together', async t => {
  const refused: [string, string[]][] = [
    ['nothing', ['']],
    ['an aggregate cut short', ['18 0005 67']],
    ['an empty unit in an aggregate', ['18 0000']],
    ['a fragment without its beginning', ['7c 05 aa']],
    ['a fragment that begins twice', ['7c 85 aa', '7c 85 aa']],
    ['a fragment without its end', ['7c 85 aa']],
    ['another unit inside a fragment', ['7c 85 aa', '41 ee']],
    ['interleaved units', ['19 0000 0002 6742']],
  ]
  for (const [name, payloads] of refused) t.throws(() => unpackH264(payloads.map(bytes)), { code: 'bad_recording' }, name)
})

t.test('answers any bytes with a stream or a fault', async () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), payloads => {
      try {
        return unpackH264(payloads.map(payload => Buffer.from(payload))).length >= 0
      } catch (error) {
        return error instanceof RelayFault
      }
    }),
    { seed: 20261122, numRuns: 2000 },
  )
})
