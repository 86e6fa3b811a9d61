/** Datagrams of a line acceptance: a load that is numbered and stamped, and probes of a size. Big endian. */

/** `hello` tells the answering end where a session comes from, and comes back; `probe` comes back as long as it was. */
export const DATAGRAM_KINDS = ['hello', 'load', 'probe', 'echo'] as const
export type DatagramKind = (typeof DATAGRAM_KINDS)[number]

/** Of everything below: what a datagram has at least. */
export const HEADER_BYTES = 26
const MAGIC = 0x6b_61

/** The beginning of a datagram. */
export interface TestDatagram {
  readonly kind: DatagramKind
  /** Of the session, drawn at random by the answering end: who does not know it is not heard. */
  readonly token: bigint
  /** Which step of the session, and which datagram of it. */
  readonly step: number
  readonly sequence: number
  /** On the sender's clock, milliseconds. */
  readonly sentAt: number
}

/** Writes it to the beginning of a buffer of {@link HEADER_BYTES} at least. */
export function writeDatagram(into: Buffer, { kind, token, step, sequence, sentAt }: TestDatagram): void {
  into.writeUInt16BE(MAGIC, 0)
  into[2] = 1
  into[3] = DATAGRAM_KINDS.indexOf(kind)
  into.writeBigUInt64BE(token, 4)
  into.writeUInt16BE(step, 12)
  into.writeUInt32BE(sequence, 14)
  into.writeDoubleBE(sentAt, 18)
}

/** @returns What it says; undefined when it is none. */
export function readDatagram(from: Buffer): TestDatagram | undefined {
  if (from.length < HEADER_BYTES || from.readUInt16BE(0) !== MAGIC || from[2] !== 1) return undefined
  const kind = DATAGRAM_KINDS[from[3] ?? 255]
  const sentAt = from.readDoubleBE(18)
  if (kind === undefined || !Number.isFinite(sentAt)) return undefined
  return { kind, token: from.readBigUInt64BE(4), step: from.readUInt16BE(12), sequence: from.readUInt32BE(14), sentAt }
}
