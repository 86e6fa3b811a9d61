/** The program of one receiver process; `ReceiverProcess` starts it and talks to it over IPC. */
import { z } from 'zod'
import { parseInvitation } from '../../relay/runtime/invitation-link.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { ArrivalLog } from './arrival-log.ts'
import { ReceiverCommand } from './messages.ts'
import { Receiver } from './receiver.ts'
import type { ReceiverMessage } from './messages.ts'

const Environment = z.object({
  KENKYO_INVITATION: z.string().min(1),
  KENKYO_FRAME_DEADLINE_MILLIS: z.coerce.number().gt(0),
  KENKYO_ARRIVAL_LOG: z.string().optional(),
})

/** The reason of a receiver that was told to leave. */
const LEFT = new RelayFault('unavailable', 'told to leave')

const tell = (message: ReceiverMessage): void => void process.send?.(message)

async function obey(receiver: Receiver, command: ReceiverCommand): Promise<void> {
  switch (command.type) {
    case 'watch':
      await receiver.watch(command.renditions)
      tell({ type: 'watching', commandId: command.commandId })
      return
    case 'leave':
      receiver.close(LEFT)
      return
    default:
      return command satisfies never
  }
}

/** Speaks its last words and ends; libdatachannel's threads would keep the process alive. */
function fail(error: unknown): void {
  const { code, message } = toFault(error)
  if (process.send === undefined || !process.connected) process.exit(1)
  process.send({ type: 'failed', code, message } satisfies ReceiverMessage, () => process.exit(1))
}

const environment = Environment.parse(process.env)
// Whoever started this is gone: nobody is left to report to.
process.once('disconnect', () => process.exit(0))
try {
  const arrivals = environment.KENKYO_ARRIVAL_LOG === undefined ? undefined : ArrivalLog.open(environment.KENKYO_ARRIVAL_LOG)
  const startedAt = systemClock.now()
  const receiver = await Receiver.open({
    address: parseInvitation(environment.KENKYO_INVITATION, undefined),
    deadline: millis(environment.KENKYO_FRAME_DEADLINE_MILLIS),
    clock: systemClock,
    onSecond: tell,
    onFrame: frame => arrivals?.note(frame),
  })
  process.on('message', message => {
    obey(receiver, ReceiverCommand.parse(message)).catch(fail)
  })
  tell({ type: 'ready', pyramid: receiver.pyramid, joinMillis: systemClock.now() - startedAt })
  const reason = await receiver.closed
  if (reason === LEFT) process.exit(0)
  fail(reason)
} catch (error) {
  fail(error)
}
