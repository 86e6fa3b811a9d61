import { t } from 'tap'
import { TileLedger } from './tile-ledger.ts'

const tile = (column: number) => ({ level: 0, column, row: 0 })

t.test('what is proven but not drawn is on its way', async t => {
  const ledger = new TileLedger()
  t.equal(ledger.stateOf(tile(0), true), 'loading', 'drawn, but nothing is known of it')
  ledger.note(tile(0), 'proven')
  t.equal(ledger.stateOf(tile(0), false), 'loading')
  t.equal(ledger.stateOf(tile(0), true), 'proven')
  ledger.note(tile(1), 'missing')
  t.equal(ledger.stateOf(tile(1), false), 'missing')
  ledger.note(tile(1), 'proven')
  t.equal(ledger.stateOf(tile(1), true), 'proven')
  t.equal(ledger.count('proven'), 2)
})

t.test('claims nothing of tiles that it had to forget', async t => {
  const ledger = new TileLedger()
  for (let column = 0; column < 60_000; column++) ledger.note(tile(column), 'proven')
  t.equal(ledger.stateOf(tile(0), true), 'loading')
  t.equal(ledger.count('proven'), 50_000)
})
