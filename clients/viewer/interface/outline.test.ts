import t from 'tap'
import { outlineOf } from './outline.ts'

const cell = (column: number, row: number) => ({ x: column * 10, y: row * 10, width: 10, height: 10 })

t.test('one region has four borders', async t => {
  t.equal(outlineOf([cell(0, 0)]).length, 4)
})

t.test('neighbours have none between them', async t => {
  const edges = outlineOf([cell(0, 0), cell(1, 0)])
  t.equal(edges.length, 6)
  t.notOk(edges.some(({ x1, x2 }) => x1 === 10 && x2 === 10))
})

t.test('a ring has an inner border too', async t => {
  const ring = [0, 1, 2].flatMap(column => [0, 1, 2].map(row => [column, row] as const)).filter(([column, row]) => column !== 1 || row !== 1)
  t.equal(outlineOf(ring.map(([column, row]) => cell(column, row))).length, 16)
})
