import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { KeptModel } from '../../wire/slide.ts'

/** What may be kept where a policy says so. Nothing else can be. */
export const KEEPABLE = ['scan date', 'scanner model'] as const
export type Keepable = (typeof KEEPABLE)[number]

/** A facility's policy, as `kenkyo scan --policy FILE` reads it. Without one, everything is removed. See `docs/DEIDENTIFICATION.md`. */
export const DeidentificationPolicy = z
  .strictObject({
    version: z.literal(1),
    /** What `--keep` may ask for. */
    keep: z.array(z.enum(KEEPABLE)).max(KEEPABLE.length),
    /** Models whose name may leave, exactly as the file writes it: a field of free text is kept only when it is one of these. */
    scannerModels: z.array(KeptModel).max(100).default([]),
  })
  .refine(({ keep, scannerModels }) => !keep.includes('scanner model') || scannerModels.length > 0, 'keeping the scanner model needs scannerModels')
export type DeidentificationPolicy = z.infer<typeof DeidentificationPolicy>

/** @throws {RelayFault} `bad_config` for what is no policy. */
export function decodePolicy(text: string): DeidentificationPolicy {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new RelayFault('bad_config', 'policy: not JSON', { cause })
  }
  const result = DeidentificationPolicy.safeParse(json)
  if (!result.success) throw new RelayFault('bad_config', `policy: ${z.prettifyError(result.error)}`, { cause: result.error })
  return result.data
}

/** @throws {RelayFault} `bad_config` when it cannot be read or is no policy. */
export async function readPolicy(path: string): Promise<DeidentificationPolicy> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new RelayFault('bad_config', 'policy: cannot be read', { cause })
  })
  return decodePolicy(text)
}

/**
 * Checks what somebody asks to keep.
 *
 * @throws {RelayFault} `identity_refused` for what cannot be kept at all, or what no policy allows.
 */
export function permitted(asked: readonly string[], policy: DeidentificationPolicy | undefined): ReadonlySet<Keepable> {
  const kept = new Set<Keepable>()
  for (const name of asked) {
    const keepable = KEEPABLE.find(known => known === name)
    if (keepable === undefined) throw new RelayFault('identity_refused', `only ${KEEPABLE.join(' and ')} can be kept`)
    if (policy?.keep.includes(keepable) !== true) throw new RelayFault('identity_refused', `keeping the ${keepable} needs a policy that allows it`)
    kept.add(keepable)
  }
  return kept
}
