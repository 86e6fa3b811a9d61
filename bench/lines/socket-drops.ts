/**
 * What the kernel dropped at each UDP socket for want of room, by local port.
 *
 * @param table - The text of `/proc/net/udp`.
 * @see proc(5), /proc/net/udp: the last column is `drops`
 */
export function parseSocketDrops(table: string): Map<number, number> {
  const drops = new Map<number, number>()
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/)
    const port = /:([0-9A-F]{4})$/.exec(fields[1] ?? '')?.[1]
    const count = Number(fields.at(-1))
    if (port !== undefined && Number.isInteger(count)) drops.set(Number.parseInt(port, 16), (drops.get(Number.parseInt(port, 16)) ?? 0) + count)
  }
  return drops
}
