import t from 'tap'
import { tileId } from '../../../relay/wire/ids.ts'
import type { WithheldView } from '../view/expectation.ts'
import { withheldPhrases } from './withheld-text.ts'

const withheld = (column: number, cause: WithheldView['cause'], shownAs: WithheldView['shownAs']): WithheldView => ({ renditionId: tileId(column, 0), cause, shownAs })

t.test('says nothing when nothing is withheld', async t => {
  t.same(withheldPhrases([], 9), [])
})

t.test('tells whose line it is, and what is shown instead', async t => {
  t.same(withheldPhrases([withheld(0, 'uplink', 'middle'), withheld(1, 'uplink', 'middle')], 9), [{ key: 'withheldMiddleUplink', n: '2/9' }])
  t.same(withheldPhrases([withheld(0, 'downlink', 'overview'), withheld(1, 'uplink', 'middle'), withheld(2, 'uplink', 'middle')], 12), [
    { key: 'withheldMiddleUplink', n: '2/12' },
    { key: 'withheldOverviewDownlink', n: '1/12' },
  ])
})
