import t from 'tap'
import { DRAWING_LIMITS, DrawnGeometry } from '../../../relay/wire/pointing.ts'
import { ImageDraft } from './image-draft.ts'

t.test('makes of a press, a movement and a release what the node takes', async t => {
  const drawn = (tool: ImageDraft['tool'], ...moves: readonly { x: number; y: number }[]) => {
    const draft = new ImageDraft(tool, { x: 10, y: 10 }, 4)
    for (const move of moves) draft.move(move)
    return draft.finish()
  }
  const [near, far, third] = [{ x: 11, y: 11 }, { x: 30, y: 10 }, { x: 30, y: 40 }]
  t.same(drawn('point', far), { kind: 'point', points: [{ x: 10, y: 10 }] })
  t.same(drawn('arrow', third, far), { kind: 'arrow', points: [{ x: 10, y: 10 }, far] })
  t.same(drawn('line', near, far), { kind: 'line', points: [{ x: 10, y: 10 }, far] })
  t.same(drawn('polygon', far, third), { kind: 'polygon', points: [{ x: 10, y: 10 }, far, third] })
  for (const tool of ['arrow', 'line', 'polygon'] as const) t.equal(drawn(tool, near), undefined, `too small a ${tool}`)
  t.equal(drawn('polygon', far), undefined)
  const long = drawn('line', ...Array.from({ length: 2000 }, (_, index) => ({ x: 10 * index, y: 100 })))
  t.equal(long?.points.length, DRAWING_LIMITS.points)
  t.ok(DrawnGeometry.safeParse(long).success)
})
