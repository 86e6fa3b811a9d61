import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { StageAnswers } from './stage-answers.ts'

t.test('says once who waits in vain, and for what last', async t => {
  const answers = new StageAnswers<string>()
  t.same(answers.step(millis(0)), { silent: [], wakeAt: undefined })
  answers.commanded(1, 'a', millis(0))
  answers.commanded(2, 'a', millis(100))
  answers.commanded(3, 'b', millis(200))
  t.same(answers.step(millis(1999)), { silent: [], wakeAt: 2000 })
  t.match(answers.step(millis(2150)), { silent: [{ command: 2, by: 'a' }], wakeAt: 2200 })
  t.match(answers.step(millis(2200)), { silent: [{ command: 3, by: 'b' }], wakeAt: undefined })
  t.same(answers.step(millis(9000)).silent, [])
})

t.test('an answer is one to all earlier commands', async t => {
  const answers = new StageAnswers<string>()
  for (const command of [1, 2, 3]) answers.commanded(command, 'a', millis(command))
  answers.answered(2)
  t.match(answers.step(millis(5000)).silent, [{ command: 3 }])
  answers.commanded(4, 'a', millis(5000))
  answers.forget()
  t.same(answers.step(millis(9000)), { silent: [], wakeAt: undefined })
})
