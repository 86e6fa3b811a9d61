/**
 * The program of the emulator's process; `UserSpaceEmulator` starts it in a namespace of its own and talks to
 * it over IPC. It relays VXLAN datagrams between the two ends of each line.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { millis } from '../../relay/wire/units.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { EmulatorCommand } from './emulator-messages.ts'
import { PreciseLoop } from './precise-loop.ts'
import { RelayedDirection } from './relayed-direction.ts'
import { parseSocketDrops } from './socket-drops.ts'
import type { Socket } from 'node:dgram'
import type { Millis } from '../../relay/wire/units.ts'
import type { EmulatorMessage, RelayedLine } from './emulator-messages.ts'

/** As much as the kernel lets anyone have: some 3500 packets, for when this process is kept from running. */
const SOCKET_BUFFER_BYTES = 4 * 2 ** 20

type OpenCommand = Extract<EmulatorCommand, { type: 'open' }>

interface OpenLine {
  readonly line: RelayedLine
  readonly up: RelayedDirection
  readonly down: RelayedDirection
}

const lines = new Map<string, OpenLine>()
const directions: RelayedDirection[] = []

const loop = new PreciseLoop({
  nextAt: () => directions.reduce((next, direction) => Math.min(next, direction.nextAt()), Infinity),
  release(now: Millis) {
    for (const direction of directions) direction.release(now)
  },
})

const say = (message: EmulatorMessage): void => void process.send?.(message)

/** A socket that only sends, to one place; connected, so that no send looks an address up. */
async function sender(address: string, port: number): Promise<(datagram: Buffer) => void> {
  const socket = createSocket({ type: 'udp4', sendBufferSize: SOCKET_BUFFER_BYTES })
  // Refusals arrive late and concern packets long gone; on a network a packet may be lost, and the counts of the other end tell.
  socket.on('error', () => undefined)
  socket.connect(port, address)
  await once(socket, 'connect')
  return datagram => socket.send(datagram)
}

async function listen(address: string, port: number, direction: RelayedDirection): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: SOCKET_BUFFER_BYTES })
  socket.on('message', datagram => {
    const now = millis(performance.now())
    direction.take(datagram, now)
    loop.arrived(now)
  })
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

async function open({ ownAddress, wireAddress, seed, lines: wanted }: OpenCommand): Promise<void> {
  for (const [index, line] of wanted.entries()) {
    const { name, leafPort, nodePort, profile } = line
    // Far apart, so that no two directions lose the same packets.
    const random = (direction: number): (() => number) => seededRandom(Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(2 * index + direction + 1, 0x85eb_ca6b))
    const up = new RelayedDirection(profile.up, random(0), await sender(wireAddress, nodePort))
    const down = new RelayedDirection(profile.down, random(1), await sender(wireAddress, leafPort))
    directions.push(up, down)
    lines.set(name, { line, up, down })
    await listen(ownAddress, leafPort, up)
    await listen(ownAddress, nodePort, down)
  }
  say({ type: 'ready' })
}

function lineCalled(name: string): OpenLine {
  const line = lines.get(name)
  if (line === undefined) throw new Error(`no line is called ${name}`)
  return line
}

async function obey(command: EmulatorCommand): Promise<void> {
  switch (command.type) {
    case 'open':
      await open(command)
      return
    case 'change': {
      const { up, down } = lineCalled(command.line)
      up.change(command.profile.up)
      down.change(command.profile.down)
      say({ type: 'changed', id: command.id })
      return
    }
    case 'cut': {
      const { up, down } = lineCalled(command.line)
      up.cut(command.isCut)
      down.cut(command.isCut)
      say({ type: 'changed', id: command.id })
      return
    }
    case 'count': {
      const { line, up, down } = lineCalled(command.line)
      const drops = parseSocketDrops(readFileSync('/proc/self/net/udp', 'latin1'))
      say({ type: 'counted', id: command.id, up: up.counts(drops.get(line.leafPort) ?? 0), down: down.counts(drops.get(line.nodePort) ?? 0) })
      return
    }
    default:
      command satisfies never
  }
}

process.on('message', raw => void obey(EmulatorCommand.parse(raw)))
// Ctrl-C reaches the whole group; the one that opened this line closes it when its users are gone.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
