import { z } from 'zod'
import { LineCounts } from './line-counts.ts'
import { LineProfile } from './profiles.ts'

const Port = z.int().min(1).max(65_535)
const Id = z.int().min(0)

/** One line as the emulator's process sees it: the UDP ports of the VXLAN devices at its ends. */
export const RelayedLine = z.strictObject({ name: z.string(), leafPort: Port, nodePort: Port, profile: LineProfile })
export type RelayedLine = z.infer<typeof RelayedLine>

/** What the emulator's process is asked. Its parent and itself only; never on a network. */
export const EmulatorCommand = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('open'),
    /** Where it listens, and where the VXLAN devices have their sockets. */
    ownAddress: z.ipv4(),
    wireAddress: z.ipv4(),
    seed: z.int(),
    lines: z.array(RelayedLine).min(1),
  }),
  z.strictObject({ type: z.literal('change'), id: Id, line: z.string(), profile: LineProfile }),
  z.strictObject({ type: z.literal('cut'), id: Id, line: z.string(), isCut: z.boolean() }),
  z.strictObject({ type: z.literal('count'), id: Id, line: z.string() }),
])
export type EmulatorCommand = z.infer<typeof EmulatorCommand>

/** What it answers. */
export const EmulatorMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready') }),
  /** The answer to `change` and to `cut`. */
  z.strictObject({ type: z.literal('changed'), id: Id }),
  z.strictObject({ type: z.literal('counted'), id: Id, up: LineCounts, down: LineCounts }),
])
export type EmulatorMessage = z.infer<typeof EmulatorMessage>
