import t from 'tap'
import { WantedBlocks } from './wanted-blocks.ts'

const block = (column: number) => ({ level: 0, column, row: 0 })

t.test('makes what is wanted first, a few at a time, and nothing twice at once', async t => {
  const wanted = new WantedBlocks(2)
  wanted.replace([block(1), block(2), block(3)])
  t.same([wanted.next(), wanted.next(), wanted.next()], [block(1), block(2), undefined])
  wanted.done(block(1))
  wanted.replace([block(2), block(4)])
  t.same(wanted.next(), block(4), 'what is not wanted any more is forgotten, and what is under way not begun again')
  wanted.done(block(2))
  t.equal(wanted.next(), undefined)
})
