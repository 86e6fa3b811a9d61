import { once } from 'node:events'
import { AnsweringEnd } from './answering-end.ts'
import { loadRecordedShapes } from './traffic-shape.ts'
import type { AnsweringOptions } from './answering-end.ts'

/** Answers measuring ends until somebody stops it. @throws {RelayFault} `address_in_use` */
export async function answerUntilStopped(options: Omit<AnsweringOptions, 'shapes'>, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  await using end = await AnsweringEnd.open({ ...options, shapes: await loadRecordedShapes() })
  say(`answering on TCP and UDP port ${end.port}, and STAMP on UDP port ${end.stampPort}; Ctrl-C ends it`)
  if (!signal.aborted) await once(signal, 'abort')
}
