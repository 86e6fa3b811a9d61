import t from 'tap'
import { levelOf } from './level-meter.ts'
import { refusalOf } from './microphone.ts'

const sine = (amplitude: number) => Float32Array.from({ length: 1024 }, (_, index) => amplitude * Math.SQRT2 * Math.sin((index * Math.PI) / 16))

t.test('a level is even in decibels between silence and full scale', async t => {
  t.equal(levelOf(new Float32Array(1024)), 0)
  t.equal(levelOf([]), 0)
  t.ok(Math.abs(levelOf(sine(1)) - 1) < 1e-6)
  t.ok(Math.abs(levelOf(sine(0.0316228)) - 0.5) < 1e-3, '-30 dB is the middle')
  t.equal(levelOf(sine(1e-5)), 0, 'below the floor')
  t.equal(levelOf(new Float32Array(1024).fill(4)), 1)
})

t.test('whatever a browser throws has a reason', async t => {
  t.same(['NotAllowedError', 'SecurityError', 'NotReadableError', 'AbortError', 'NotFoundError', 'OverconstrainedError', ''].map(refusalOf), [
    'denied', 'denied', 'busy', 'busy', 'missing', 'missing', 'missing',
  ])
})
