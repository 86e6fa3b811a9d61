import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { SentLog } from './sent-log.ts'
import type { PacedPacket } from './pacer.ts'

const packet = (timestamp: number, marker: boolean, length = 88): PacedPacket => ({
  renditionId: OVERVIEW, timestamp: rtpTimestamp(timestamp), marker, payload: Buffer.alloc(length),
})

t.test('writes one line for every whole frame that left', async t => {
  const path = join(t.testdir(), 'sent.log')
  const before = Date.now()
  {
    await using log = SentLog.open(path)
    for (const each of [packet(3000, false), packet(3000, true, 38), packet(6000, false), packet(9000, true)]) log.note(each)
  }
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n').map(line => line.split(' '))
  t.same(lines.map(([id, ...numbers]) => [id, ...numbers.slice(0, 3).map(Number)]), [[OVERVIEW, 3000, 2, 150], [OVERVIEW, 9000, 1, 100]], 'the frame that was given up counts nowhere')
  for (const line of lines) t.ok(Math.abs(Number(line[4]) - before) < 60_000)
})
