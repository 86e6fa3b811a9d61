import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** The busy share of all cores since `before`, and a reading to pass the next time. */
export function machineLoad(before?: MachineReading): { readonly busyRatio: number; readonly reading: MachineReading } {
  const reading = { idle: 0, total: 0 }
  for (const { times } of cpus()) {
    reading.idle += times.idle
    reading.total += times.idle + times.user + times.nice + times.sys + times.irq
  }
  const total = reading.total - (before?.total ?? 0)
  return { busyRatio: total === 0 ? 0 : 1 - (reading.idle - (before?.idle ?? 0)) / total, reading }
}

/** Milliseconds of all cores since the machine started. */
export interface MachineReading {
  readonly idle: number
  readonly total: number
}

/**
 * Datagrams that the kernel dropped at full sockets, in the network namespace of a process; 0 when it is gone.
 *
 * @see RFC 4113, udpInErrors; Linux counts those for want of room apart, as `RcvbufErrors`
 */
export function receiveBufferErrors(pid: number): number {
  try {
    const [names = '', values = ''] = readFileSync(`/proc/${pid}/net/snmp`, 'utf8').split('\n').filter(line => line.startsWith('Udp:'))
    const column = names.split(' ').indexOf('RcvbufErrors')
    return column === -1 ? 0 : Number(values.split(' ')[column])
  } catch {
    // A process may end at any time.
    return 0
  }
}
