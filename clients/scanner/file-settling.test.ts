import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { FileSettling } from './file-settling.ts'
import type { FileLook } from './file-settling.ts'

const settling = () => new FileSettling({ still: millis(3000), patience: millis(20_000) })
const look = (size: number, modifiedAtMillis = 1): FileLook => ({ size, modifiedAtMillis })

t.test('a file is opened only when size and time stood still for long enough', async t => {
  const file = settling()
  t.equal(file.step(look(10), millis(0)).code, 'wait')
  t.equal(file.step(look(10), millis(2999)).code, 'wait')
  t.equal(file.step(look(20), millis(3000)).code, 'wait', 'it grew')
  t.equal(file.step(look(20, 2), millis(5999)).code, 'wait', 'it was rewritten in place')
  t.equal(file.step(look(20, 2), millis(8998)).code, 'wait')
  t.equal(file.step(look(20, 2), millis(8999)).code, 'open')
})

t.test('an old time of modification is no proof: a copy may carry that of its original', async t => {
  t.equal(settling().step(look(10, -1e12), millis(0)).code, 'wait')
})

t.test('what does not open is tried again, as long as there is patience', async t => {
  const file = settling()
  file.step(look(10), millis(0))
  t.equal(file.step(look(10), millis(3000)).code, 'open')
  t.equal(file.step(look(10), millis(3500)).code, 'wait', 'not at every look')
  t.equal(file.step(look(10), millis(8000)).code, 'open')
  t.equal(file.step(look(10), millis(19_000)).code, 'open')
  t.equal(file.step(look(10), millis(24_000)).code, 'no_slide')
})

t.test('a change starts everything over, and a file that went away and came back is a new one', async t => {
  const file = settling()
  file.step(look(10), millis(0))
  t.equal(file.step(look(10), millis(3000)).code, 'open')
  t.equal(file.step(look(11), millis(19_000)).code, 'wait')
  t.equal(file.step(look(11), millis(22_000)).code, 'open')
  t.equal(file.step(undefined, millis(23_000)).code, 'wait')
  t.equal(file.step(look(11), millis(24_000)).code, 'wait')
  t.equal(file.step(look(11), millis(27_000)).code, 'open')
})

t.test('an empty file is waited for, and then no slide', async t => {
  const file = settling()
  file.step(look(0), millis(0))
  t.equal(file.step(look(0), millis(10_000)).code, 'wait')
  t.equal(file.step(look(0), millis(20_000)).code, 'no_slide')
})

t.test('a file that cannot be seen for so long is gone', async t => {
  const file = settling()
  file.step(look(10), millis(0))
  t.equal(file.step(undefined, millis(1000)).code, 'wait')
  t.equal(file.step(undefined, millis(20_000)).code, 'wait')
  t.equal(file.step(undefined, millis(21_000)).code, 'gone')
  t.equal(settling().step(undefined, millis(90_000)).code, 'wait', 'a share may be away at first')
})

t.test('what came whole into a watched folder is opened after a tenth of a second', async t => {
  const file = settling()
  const whole = { cameWhole: true }
  t.equal(file.step(look(10), millis(0), whole).code, 'wait')
  t.equal(file.step(look(10), millis(99), whole).code, 'wait')
  t.equal(file.step(look(10), millis(100), whole).code, 'open')
})

t.test('what is written in a watched folder is opened a second after the last write', async t => {
  const file = settling()
  const written = { cameWhole: false }
  file.step(look(10), millis(0), written)
  t.equal(file.step(look(20), millis(900), written).code, 'wait')
  t.equal(file.step(look(20), millis(1899), written).code, 'wait')
  t.equal(file.step(look(20), millis(1900), written).code, 'open')
})

t.test('a watch never makes anybody wait for longer than was asked for', async t => {
  const file = new FileSettling({ still: millis(50), patience: millis(20_000) })
  file.step(look(10), millis(0), { cameWhole: false })
  t.equal(file.step(look(10), millis(50), { cameWhole: false }).code, 'open')
})

t.test('a file that grows though it seemed to have come whole is waited for', async t => {
  const file = settling()
  file.step(look(10), millis(0), { cameWhole: true })
  t.equal(file.step(look(11), millis(100), { cameWhole: true }).code, 'wait')
  t.equal(file.step(look(11), millis(150), { cameWhole: false }).code, 'wait')
  t.equal(file.step(look(11), millis(1100), { cameWhole: false }).code, 'open')
})
