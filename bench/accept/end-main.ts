/** The program of one end of an acceptance: answers, or measures once and tells what it measured. */
import { toFault } from '../../relay/wire/fault.ts'
import { AnsweringEnd } from './answering-end.ts'
import { EndEnvironment } from './end-messages.ts'
import { measureLine } from './measure-line.ts'
import { loadRecordedShapes } from './traffic-shape.ts'
import type { EndMessage, EndOptions } from './end-messages.ts'
import type { PathOptions } from './measuring-path.ts'

const { KENKYO_ACCEPTANCE_END: options } = EndEnvironment.parse(process.env)
const say = (message: EndMessage): void => void process.send?.(message)
// Whoever started this is gone, or wants an end: what is on the line stops with the process.
for (const event of ['disconnect', 'SIGTERM', 'SIGINT'] as const) process.once(event, () => process.exit(0))

const shapes = await loadRecordedShapes()
const key = Buffer.from(options.keyHex, 'hex')
if (options.role === 'answer') {
  const end = await AnsweringEnd.open({ key, address: options.address, port: options.port, shapes })
  say({ type: 'ready', port: end.port })
} else await measure(options)

async function measure({ line, isSimulated, plan, paths }: Extract<EndOptions, { role: 'measure' }>): Promise<void> {
  const [first, ...rest] = paths.map(({ localAddress, ...path }): PathOptions => ({ ...path, ...(localAddress === undefined ? {} : { localAddress }), key, shapes }))
  if (first === undefined) throw new Error('the schema asks for a path')
  say({ type: 'ready', port: 0 })
  try {
    const measurement = await measureLine({ line, isSimulated, plan, shapes, paths: [first, ...rest], say: text => say({ type: 'say', line: text }) }, new AbortController().signal)
    say({ type: 'measured', measurement })
  } catch (error) {
    const { code, message } = toFault(error)
    if (code === 'internal') console.error(error)
    say({ type: 'failed', code, message })
  }
}
