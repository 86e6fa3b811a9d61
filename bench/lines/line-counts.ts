import { z } from 'zod'

const Count = z.int().min(0)

/** What an emulator counted in one direction of one line since it was opened. */
export const LineCounts = z.strictObject({
  /** IP packets that came in, and their bytes from the IP header on. */
  packets: Count,
  bytes: Count,
  /** Lost on the way, as the profile wanted. netem does not tell these from a full queue: all its drops are here. */
  lost: Count,
  /** Dropped at the tail of the bottleneck's queue, or because the emulator holds as many packets as it may. */
  queueFull: Count,
  delivered: Count,
  deliveredBytes: Count,
  /** Dropped by the kernel before the emulator saw them: a fault of the emulator, not of the line. Not among `packets`. */
  overruns: Count,
  /** How much later than due packets left. Zeros where the emulator does not know. */
  lateness: z.strictObject({ meanMillis: z.number(), p99Millis: z.number(), longestMillis: z.number() }),
})
export type LineCounts = z.infer<typeof LineCounts>
