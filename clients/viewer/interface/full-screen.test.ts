import t from 'tap'
import { otherScreen } from './full-screen.ts'

const screen = (width: number, height: number, devicePixelRatio = 1) => ({ width, height, devicePixelRatio })

t.test('fills the screen with the most device pixels that the window is not on', async t => {
  const [here, small, sharp] = [screen(7680, 4320), screen(2560, 1440), screen(1920, 1080, 2)]
  t.equal(otherScreen([here, small, sharp], here), sharp)
  t.equal(otherScreen([here, small, sharp], sharp), here)
})

t.test('there is no other screen where there is one only', async t => {
  const here = screen(1920, 1080)
  t.equal(otherScreen([here], here), undefined)
})
