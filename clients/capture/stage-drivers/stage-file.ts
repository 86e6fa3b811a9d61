import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { Objective, Stage } from '../../../relay/wire/stage.ts'

/** A stage beside a camera, and what is known of both. `docs/STAGE-DRIVERS.md` tells what each field means. */
export const StageFile = z.strictObject({
  driver: z.literal('ascii-tcp'),
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535),
  objective: Objective,
  travel: Stage.shape.travel,
  cameraDelayMillis: z.number().min(0).max(10_000).default(300),
})
export type StageFile = z.infer<typeof StageFile>

/** @throws {RelayFault} `bad_config` when it cannot be read, or says no stage. */
export async function readStageFile(path: string): Promise<StageFile> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new RelayFault('bad_config', '--stage-file: cannot be read', { cause })
  }
  const parsed = StageFile.safeParse(json)
  if (!parsed.success) throw new RelayFault('bad_config', `--stage-file: ${z.prettifyError(parsed.error)}`, { cause: parsed.error })
  return parsed.data
}
