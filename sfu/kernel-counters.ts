import { readFile } from 'node:fs/promises'

/**
 * Datagrams that the kernel dropped because a socket's receive buffer was full, machine-wide since boot.
 *
 * @param snmp - Text of `/proc/net/snmp`.
 * @returns The `Udp RcvbufErrors` count, or undefined when the text has none.
 * @see RFC 4113 (the table's origin); Linux Documentation/networking/snmp_counter.rst
 */
export function parseReceiveBufferErrors(snmp: string): number | undefined {
  const [names, values] = snmp.split('\n').filter(line => line.startsWith('Udp: ')).map(line => line.split(' '))
  const index = names?.indexOf('RcvbufErrors') ?? -1
  const value = index < 0 ? undefined : Number(values?.[index])
  return value === undefined || Number.isNaN(value) ? undefined : value
}

/** The current count, or undefined where there is no procfs. */
export async function readReceiveBufferErrors(): Promise<number | undefined> {
  try {
    return parseReceiveBufferErrors(await readFile('/proc/net/snmp', 'latin1'))
  } catch {
    // Not Linux: the figure is simply not known.
    return undefined
  }
}
