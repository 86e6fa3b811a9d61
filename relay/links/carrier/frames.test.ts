import { t } from 'tap'
import {
  arrivalCode, arrivalOf, ARRIVAL_STEP, FRAME, MAX_FEEDBACK_PACKETS, MAX_REQUEST_RANGES, readAnswer, readClassReport, readFeedback, readParity, readProbe, readRequest, readTail,
  writeAnswer, writeClassReport, writeFeedback, writeParity, writeProbe, writeRequest, writeTail,
} from './frames.ts'

type Read = (source: Buffer, at: number) => { readonly end: number } | undefined

const parity = { classId: 2, firstSequence: 2 ** 32 - 1, k: 20, m: 4, index: 3, symbol: new Uint8Array([1, 2, 3]) }
const feedback = { path: 3, largest: 2 ** 47 + 5, largestArrivedAt: 2 ** 32 - 1, hold: 12_345, arrivals: Uint16Array.from([1, 0, 0xffff, 0x2000]) }
const request = { classId: 1, cumulative: 2 ** 32 - 2, highest: 5, ranges: [{ first: 2 ** 32 - 1, count: 255, round: 1 }, { first: 3, count: 1, round: 255 }] }
const probe = { id: 2 ** 32 - 1, askedAt: 1_700_000_000_000.125, size: 1452 }
const answer = { ...probe, heardAt: 1_700_000_000_001.5, answeredAt: 1_700_000_000_002.25 }
const report = { classId: 3, values: [1, 2 ** 48 - 1, 3, 4, 5, 6, 7, 8] }

/** Every frame: how it is written and read, and what comes out. */
const FRAMES: Record<string, { write: (target: Buffer, at: number) => number; read: Read; expected: unknown }> = {
  parity: { write: (target, at) => writeParity(target, at, parity), read: readParity, expected: { frame: { ...parity, symbol: Buffer.from(parity.symbol) } } },
  feedback: { write: (target, at) => writeFeedback(target, at, feedback), read: readFeedback, expected: { frame: feedback } },
  request: { write: (target, at) => writeRequest(target, at, request), read: readRequest, expected: { frame: request } },
  probe: { write: (target, at) => writeProbe(target, at, probe), read: readProbe, expected: { frame: probe } },
  answer: { write: (target, at) => writeAnswer(target, at, answer), read: readAnswer, expected: { frame: answer } },
  tail: { write: (target, at) => writeTail(target, at, 1, 2 ** 32 + 7), read: readTail, expected: { classId: 1, highest: 7 } },
  classReport: { write: (target, at) => writeClassReport(target, at, report), read: readClassReport, expected: { frame: report } },
}

for (const [name, { write, read, expected }] of Object.entries(FRAMES)) {
  t.test(`a ${name} frame comes out as it went in, wherever it is`, async t => {
    const target = Buffer.alloc(200, 0xee)
    const end = write(target, 17)
    t.equal(target[17], FRAME[name as keyof typeof FRAME])
    t.match(read(target, 17), { ...(expected as object), end })
    t.ok(target.subarray(end).every(byte => byte === 0xee), 'and writes no further')
  })

  t.test(`a ${name} frame cut short at any byte is refused`, async t => {
    const target = Buffer.alloc(200)
    const end = write(target, 4)
    for (let length = 5; length < end; length++) t.equal(read(target.subarray(0, length), 4), undefined, `${length} bytes`)
    t.ok(read(target.subarray(0, end), 4))
  })
}

t.test('classes that are not there are refused', async t => {
  for (const { write, read } of [FRAMES.parity!, FRAMES.request!, FRAMES.tail!, FRAMES.classReport!]) {
    const target = Buffer.alloc(200)
    write(target, 0)
    target[1] = 4
    t.equal(read(target, 0), undefined)
  }
})

t.test('feedback of nothing, or of too much, is refused', async t => {
  for (const [count, isTaken] of [[0, false], [1, true], [MAX_FEEDBACK_PACKETS, true], [MAX_FEEDBACK_PACKETS + 1, false]] as const) {
    const target = Buffer.alloc(2000)
    writeFeedback(target, 0, { ...feedback, arrivals: new Uint16Array(count) })
    t.equal(readFeedback(target, 0) !== undefined, isTaken, `${count}`)
  }
})

t.test('requests of too many ranges are refused', async t => {
  const target = Buffer.alloc(4000)
  writeRequest(target, 0, { ...request, ranges: Array.from({ length: MAX_REQUEST_RANGES + 1 }, () => ({ first: 1, count: 1, round: 1 })) })
  t.equal(readRequest(target, 0), undefined)
})

t.test('arrivals are told to within half a step, before and after the largest, and no further than they reach', async t => {
  for (const earlier of [-500, -0.1, 0, 0.064, 13.37, 1000, 3600]) t.ok(Math.abs(arrivalOf(arrivalCode(earlier)) - earlier) <= ARRIVAL_STEP / 2 + 1e-9, `${earlier}`)
  t.equal(arrivalCode(1e9), 0xffff)
  t.equal(arrivalCode(-1e9), 1, 'never 0, which is a packet that did not come')
})

t.test('a hold longer than there is room for is told as the longest', async t => {
  const target = Buffer.alloc(100)
  writeFeedback(target, 0, { ...feedback, hold: 1e12 })
  t.equal(readFeedback(target, 0)?.frame.hold, 0xffff_ffff)
})
