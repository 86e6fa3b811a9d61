import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { systemClock } from '../../../relay/runtime/clock.ts'
import { millis } from '../../../relay/wire/units.ts'
import { AsciiStage } from './ascii-stage.ts'
import { TcpStage } from './tcp-stage.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { DriverState } from './stage-driver.ts'

const LIMITS = {
  objectives: [{ name: '20x', micrometresPerPixel: 0.25 }],
  travel: { x: { min: 0, max: 50_000 }, y: { min: 0, max: 25_000 }, focus: { min: -500, max: 500 } },
}

/** A controller that goes where it is told within some questions, unless it is told to be silent. */
class FakeController implements AsyncDisposable {
  readonly lines: string[] = []
  readonly #server = createServer(socket => this.#serve(socket))
  readonly #sockets = new Set<Socket>()
  #place = { X: 100, Y: 200, Z: 0 }
  #target = { ...this.#place }
  /** Questions until it is there. */
  #left = 0
  isSilent = false
  answer: string | undefined

  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    let rest = ''
    socket.on('data', (data: Buffer) => {
      const lines = (rest + data.toString()).split('\r')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        this.lines.push(line)
        if (!this.isSilent) socket.write(`${this.answer ?? this.#reply(line)}\r\n`)
      }
    })
  }

  #reply(line: string): string {
    if (line === '\\') {
      this.#target = { ...this.#place }
      this.#left = 0
      return ':A'
    }
    if (line.startsWith('M ')) {
      for (const [, axis, value] of line.matchAll(/([XYZ])=(-?\d+)/g)) this.#target[axis as 'X'] = Number(value)
      this.#left = 3
      return ':A'
    }
    if (line === '/') {
      if (this.#left > 0 && --this.#left === 0) this.#place = { ...this.#target }
      return this.#left > 0 ? 'B' : 'N'
    }
    const { X, Y, Z } = this.#place
    return `:A ${X} ${Y} ${Z}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** Waits for a state; tap's own deadline ends what never comes. */
function until(stage: TcpStage, condition: (state: DriverState) => boolean): Promise<DriverState> {
  return new Promise(resolve => {
    const look = (state: DriverState): void => {
      if (condition(state)) resolve(state)
    }
    stage.onState(look)
    look(stage.state)
  })
}

t.test('goes where it is told, says that it moves, and which command the controller took', async t => {
  await using controller = new FakeController()
  await using stage = TcpStage.open({ host: '127.0.0.1', port: await controller.open(), limits: LIMITS, clock: systemClock })
  t.match(await until(stage, ({ kind }) => kind === 'ready'), { place: { x: 10, y: 20, focus: 0, isMoving: false, command: undefined } })
  stage.moveTo({ x: 1234.56, focus: -3.2 }, 7)
  t.match(await until(stage, ({ place }) => place.command === 7), { kind: 'ready', place: { isMoving: true } })
  t.match(await until(stage, ({ place }) => !place.isMoving && place.command === 7), { place: { x: 1234.6, y: 20, focus: -3.2 } })
  t.ok(controller.lines.includes('M X=12346 Z=-32'))
})

t.test('a controller that falls silent leaves it interrupted with timeout; a stop reaches it as soon as it listens, and nothing else of before does', async t => {
  await using controller = new FakeController()
  await using stage = TcpStage.open({ host: '127.0.0.1', port: await controller.open(), limits: LIMITS, clock: systemClock })
  await until(stage, ({ kind }) => kind === 'ready')
  controller.isSilent = true
  stage.moveTo({ x: 5000 }, 1)
  t.match(await until(stage, ({ kind }) => kind === 'interrupted'), { code: 'timeout', place: { x: 10, isMoving: false } })
  stage.moveTo({ x: 6000 }, 2)
  stage.stop(3)
  controller.isSilent = false
  controller.lines.length = 0
  t.match(await until(stage, ({ kind, place }) => kind === 'ready' && place.command === 3), { place: { isMoving: false } })
  t.equal(controller.lines[0], '\\')
  t.notOk(controller.lines.some(line => line.startsWith('M')))
})

t.test('a controller that speaks another language, or too much, is no stage', async t => {
  await using controller = new FakeController()
  const port = await controller.open()
  for (const answer of ['HTTP/1.1 400 Bad Request', `:A ${'9'.repeat(40)} 0 0`]) {
    controller.answer = answer
    await using stage = TcpStage.open({ host: '127.0.0.1', port, limits: LIMITS, clock: systemClock })
    t.match(await until(stage, state => state.kind === 'interrupted' && state.code !== 'unavailable'), { code: 'bad_message' })
  }
})

t.test('a stop overtakes what waits and what is under way, and the last of each axis counts', async t => {
  const stage = new AsciiStage()
  t.same(stage.step(millis(0)).send, ['/', 'W X Y Z'])
  stage.moveTo({ x: 1 }, 1)
  stage.moveTo({ x: 2, y: 3 }, 2)
  t.same(stage.step(millis(10)).send, [], 'it waits for an answer')
  stage.stop(3)
  t.same(stage.step(millis(20)).send, ['\\'])
  t.equal(stage.owedStop, 3)
  for (const line of ['N', ':A 0 0 0', ':A']) stage.received(line)
  t.equal(stage.owedStop, undefined)
  t.same(stage.step(millis(30)).send, ['/', 'W X Y Z'], 'and nothing is left of the moves')
  for (const line of ['N', ':A 0 0 0']) stage.received(line)
  stage.moveTo({ x: 1 }, 4)
  stage.moveTo({ x: 2, y: 3 }, 5)
  t.same(stage.step(millis(40)).send, ['M X=20 Y=30'])
  t.equal(stage.step(millis(541)).fault, 'timeout')
})

t.test('a halt that ends a movement is acknowledged as such', async t => {
  const stage = new AsciiStage()
  stage.stop(1)
  t.same(stage.step(millis(0)).send, ['\\'])
  stage.received(':N-21')
  t.equal(stage.owedStop, undefined)
  t.equal(stage.step(millis(1)).fault, undefined)
})

t.test('a move that the controller refuses is a fault, and an answer to nothing, too', async t => {
  const stage = new AsciiStage()
  stage.moveTo({ x: 1 }, 1)
  stage.step(millis(0))
  stage.received(':N-4')
  t.equal(stage.step(millis(1)).fault, 'out_of_range')
  const other = new AsciiStage()
  other.received(':A')
  t.equal(other.step(millis(0)).fault, 'bad_message')
})
