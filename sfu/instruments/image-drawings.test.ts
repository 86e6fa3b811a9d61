import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { MemberId } from '../../relay/wire/ids.ts'
import { DRAWING_LIMITS } from '../../relay/wire/pointing.ts'
import { SIGNALING_LIMITS } from '../../relay/wire/signaling.ts'
import { ImageDrawings } from './image-drawings.ts'
import type { DrawnGeometry } from '../../relay/wire/pointing.ts'

/** As long as a number gets. */
const FRACTION = 12_345.678901234567

t.test('all that may be drawn goes by messages that are no longer than messages may be', async t => {
  const drawings = new ImageDrawings()
  const draw = (geometry: DrawnGeometry): void => drawings.add({ id: randomUUID(), geometry, author: MemberId.parse('reader'), colour: 0, rtpTimestamp: 2 ** 32 - 1, place: { x: FRACTION, y: FRACTION, objective: '20x' } })
  for (let corners = 0; corners + DRAWING_LIMITS.points < DRAWING_LIMITS.pointsTogether; corners += DRAWING_LIMITS.points) {
    draw({ kind: 'polygon', points: Array.from({ length: DRAWING_LIMITS.points }, () => ({ x: FRACTION, y: FRACTION })) })
  }
  const text = '\u0001'.repeat(DRAWING_LIMITS.textCharacters)
  for (let texts = 0; texts < 120; texts++) draw({ kind: 'text', points: [{ x: FRACTION, y: FRACTION }], text })
  const parts = [...drawings.parts()]
  for (const annotations of parts) {
    const bytes = Buffer.byteLength(JSON.stringify({ type: 'imageAnnotated', publicationId: randomUUID(), annotations }))
    t.ok(bytes <= SIGNALING_LIMITS.messageSizeBytes, `${annotations.length} annotations: ${bytes} bytes`)
  }
  t.same(parts.flat(), drawings.all)
  t.same([...new ImageDrawings().parts()], [])
})
