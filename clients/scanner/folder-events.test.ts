import { t } from 'tap'
import { FolderEvents } from './folder-events.ts'

t.test('a file that is moved or linked in came whole, one that is written did not', async t => {
  const events = new FolderEvents()
  events.note('rename', 'moved')
  events.note('rename', 'copied')
  events.note('change', 'copied')
  t.same(events.of('moved'), { cameWhole: true })
  t.same(events.of('copied'), { cameWhole: false })
})

t.test('one that is written after it was moved in is not whole, until it is replaced by another', async t => {
  const events = new FolderEvents()
  events.note('rename', 'a')
  events.note('change', 'a')
  t.same(events.of('a'), { cameWhole: false })
  events.note('rename', 'a')
  t.same(events.of('a'), { cameWhole: true })
})

t.test('nothing is claimed of a file that nothing was told of, or after events were lost', async t => {
  const events = new FolderEvents()
  t.equal(events.of('there before'), undefined)
  events.note('rename', 'a')
  events.forget()
  t.equal(events.of('a'), undefined)
})

t.test('names are forgotten before they fill the memory', async t => {
  const events = new FolderEvents()
  for (let file = 0; file <= 20_000; file++) events.note('rename', String(file))
  t.equal(events.of('0'), undefined)
  t.same(events.of('20000'), { cameWhole: true })
})
