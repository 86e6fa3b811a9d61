import { fileURLToPath } from 'node:url'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { plannedLoad } from './acceptance-plan.ts'
import { EndMessage } from './end-messages.ts'
import type { AcceptanceMeasurement } from './acceptance-measurement.ts'
import type { AcceptancePlan } from './acceptance-plan.ts'
import type { EndOptions } from './end-messages.ts'

const MAIN = fileURLToPath(new URL('end-main.ts', import.meta.url))
const START_DEADLINE = millis(30_000)
/** A run that takes so much longer than planned, and this, is stuck. */
const SLACK_FACTOR = 3
const SLACK = millis(60_000)

/** Starts the answering end where `enter` leads, on any free port. @throws {RelayFault} `timeout`, `unavailable` */
export async function startAnswering(options: Omit<Extract<EndOptions, { role: 'answer' }>, 'role'>, enter: readonly string[], signal: AbortSignal): Promise<{ readonly program: ChildProgram; readonly port: number }> {
  const ready = Promise.withResolvers<number>()
  const program = await startEnd('answering end', { role: 'answer', ...options }, enter, message => {
    if (message.type === 'ready') ready.resolve(message.port)
  })
  try {
    return { program, port: await program.until(ready.promise, START_DEADLINE, signal) }
  } catch (error) {
    await program.stop()
    throw error
  }
}

/** How {@link runMeasuring} is told. */
export interface MeasuringOptions extends Omit<Extract<EndOptions, { role: 'measure' }>, 'role' | 'plan'> {
  readonly plan: AcceptancePlan
  readonly enter: readonly string[]
  readonly say: (line: string) => void
}

/** Runs a measuring end to its end, in a process of its own. @throws {RelayFault} Whatever ended it; there is no measurement then. */
export async function runMeasuring({ enter, say, plan, ...options }: MeasuringOptions, signal: AbortSignal): Promise<AcceptanceMeasurement> {
  const measured = Promise.withResolvers<AcceptanceMeasurement>()
  measured.promise.catch(() => undefined)
  await using program = await startEnd('measuring end', { role: 'measure', ...options, plan: { ...plan, loads: [...plan.loads] } }, enter, message => {
    if (message.type === 'say') say(message.line)
    else if (message.type === 'measured') measured.resolve(message.measurement)
    else if (message.type === 'failed') measured.reject(new RelayFault(message.code, message.message))
  })
  const deadline = millis(SLACK_FACTOR * 1000 * plannedLoad(plan, 2 * options.paths.length).seconds + SLACK)
  return await program.until(measured.promise, deadline, signal)
}

function startEnd(name: string, options: EndOptions, enter: readonly string[], onMessage: (message: EndMessage) => void): Promise<ChildProgram> {
  return ChildProgram.start({
    name, enter, command: process.execPath, args: [MAIN], environment: { KENKYO_ACCEPTANCE_END: JSON.stringify(options) },
    onMessage: message => onMessage(EndMessage.parse(message)),
  })
}
