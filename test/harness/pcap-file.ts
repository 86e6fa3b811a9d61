/** What is unusual of a packet. */
export interface FrameOptions {
  /** Length that the IP header says. */
  readonly total?: number
  readonly protocol?: number
  readonly source?: number
  readonly destinationPort?: number
  /** Milliseconds since the epoch. */
  readonly at?: number
}

/** One packet of a capture. */
export interface CapturedFrame {
  readonly at: number
  readonly bytes: Buffer
}

/** Ethernet, IPv4 and UDP around a payload, from port 40000 of 198.18.0.16 to port 8443 of 198.18.0.1. */
export function udpFrame(payload: Buffer, { total = 28 + payload.length, protocol = 17, source = 0xc612_0010, destinationPort = 8443, at = 1_700_000_000_500 }: FrameOptions = {}): CapturedFrame {
  const frame = Buffer.alloc(14 + 28)
  frame.writeUInt16BE(0x0800, 12)
  frame[14] = 0x45
  frame.writeUInt16BE(total, 16)
  frame[23] = protocol
  frame.writeUInt32BE(source, 26)
  frame.writeUInt32BE(0xc612_0001, 30)
  frame.writeUInt16BE(40_000, 34)
  frame.writeUInt16BE(destinationPort, 36)
  return { at, bytes: Buffer.concat([frame, payload]) }
}

/** A capture as `tcpdump -w` writes it. Times are written as microseconds, whatever `magic` says of them. */
export function pcapFile(frames: readonly CapturedFrame[], { isLittle = true, magic = 0xa1b2_c3d4, linkType = 1 } = {}): Buffer {
  const words = (...values: number[]): Buffer => {
    const buffer = Buffer.alloc(values.length * 4)
    values.forEach((value, index) => (isLittle ? buffer.writeUInt32LE(value, index * 4) : buffer.writeUInt32BE(value, index * 4)))
    return buffer
  }
  return Buffer.concat([
    words(magic, 0, 0, 0, 65_535, linkType),
    ...frames.flatMap(({ at, bytes }) => [words(Math.floor(at / 1000), (at % 1000) * 1000, bytes.length, bytes.length), bytes]),
  ])
}
