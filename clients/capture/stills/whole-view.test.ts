import { t } from 'tap'
import { systemClock } from '../../../relay/runtime/clock.ts'
import { createLogger } from '../../../relay/runtime/log.ts'
import { planPyramid, tilePosition } from '../../../relay/wire/pyramid.ts'
import { viewOf } from '../optics.ts'
import { openMicroscope } from '../simulated-microscope.ts'
import { i420Bytes } from '../specimen.ts'
import { drawWhole } from './whole-view.ts'

const IMAGE = { width: 960, height: 544 }
const log = createLogger({ level: 'silent', program: 'capture' })

t.test('the whole image, drawn anew, has every tile that was drawn at that place in it, bit for bit', async t => {
  const microscope = await openMicroscope({ ...IMAGE, kind: 'calibration', clock: systemClock, log })
  const pyramid = planPyramid({ ...IMAGE, columns: 3, rows: 2, framesPerSecond: 15, overviewWidth: 480 })
  const places = [{ x: 120.25, y: 70.5, focus: 0, objective: '20x' }, { x: 101.375, y: 60.125, focus: 0, objective: '40x' }, { x: 130.75, y: 66.25, focus: 7, objective: '20x' }, { x: 90, y: 51, focus: -30, objective: '5x' }]
  for (const place of places.map(it => ({ ...it, isMoving: false }))) {
    const whole = await drawWhole(microscope, IMAGE, place, systemClock)
    t.equal(whole?.length, i420Bytes(IMAGE.width, IMAGE.height))
    for (const rendition of pyramid.renditions.filter(({ id }) => tilePosition(id) !== undefined)) {
      const { region: { x, y, width, height } } = rendition
      const tile = new Uint8Array(i420Bytes(width, height))
      microscope.specimen.draw(viewOf(place, IMAGE, rendition, microscope.optics), tile)
      let [at, isEqual] = [0, true]
      for (const [start, shrink] of [[0, 1], [IMAGE.width * IMAGE.height, 2], [(IMAGE.width * IMAGE.height * 5) / 4, 2]] as const) {
        for (let line = y / shrink; line < (y + height) / shrink; line++, at += width / shrink) {
          const from = start + (line * IMAGE.width + x) / shrink
          isEqual &&= Buffer.from(whole!.subarray(from, from + width / shrink)).equals(tile.subarray(at, at + width / shrink))
        }
      }
      t.ok(isEqual, `${rendition.id} under ${place.objective}`)
    }
  }
})

t.test('a specimen that is not all at hand is waited for, and no coarser picture is taken for it', async t => {
  const { optics, specimen } = await openMicroscope({ ...IMAGE, kind: 'calibration', clock: systemClock, log })
  let now = 0
  const clock = { now: () => now as never, sleep: async () => void (now += 1000) }
  const place = { x: 120, y: 70, focus: 0, objective: '20x', isMoving: false }
  let looks = 0
  const slow = { draw: specimen.draw.bind(specimen), prepare: () => ++looks % 3 === 0 }
  t.ok(await drawWhole({ specimen: slow, optics }, IMAGE, place, clock))
  t.equal(await drawWhole({ specimen: { ...slow, prepare: () => false }, optics }, IMAGE, place, clock), undefined)
})
