import { t } from 'tap'
import { RelayFault } from '../wire/fault.ts'
import { createLogger } from './log.ts'

function capture() {
  const lines: string[] = []
  const log = createLogger({ level: 'info', program: 'test', destination: { write: line => void lines.push(line) } })
  return { lines, log }
}

t.test('removes phi, also from a child logger', async t => {
  const { lines, log } = capture()
  log.info({ phi: { patientName: 'Yamada' }, slideId: 's1' }, 'slide opened')
  log.child({ sessionId: 'x' }).info({ phi: 'Yamada' }, 'slide opened')
  t.equal(lines.length, 2)
  t.notMatch(lines.join(), /Yamada|phi/)
  t.match(JSON.parse(lines[0] ?? ''), { msg: 'slide opened', slideId: 's1', program: 'test' })
})

t.test('logs code and sentence of a fault, but no text of a bug', async t => {
  const { lines, log } = capture()
  log.error({ err: new RelayFault('not_found', 'no such slide', { cause: new Error('Yamada') }) }, 'request failed')
  log.error({ err: new TypeError('Yamada is not a function') }, 'request failed')
  t.match(JSON.parse(lines[0] ?? ''), { err: { code: 'not_found', message: 'no such slide', cause: { name: 'Error' } } })
  t.match(JSON.parse(lines[1] ?? ''), { err: { name: 'TypeError' } })
  t.notMatch(lines.join(), /Yamada/)
})
