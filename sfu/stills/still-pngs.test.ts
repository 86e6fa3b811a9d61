import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { t } from 'tap'
import { planeBytes } from '../../relay/wire/still.ts'
import { StillPngs } from './still-pngs.ts'

const SIZE = { width: 256, height: 256 }

t.test('a PNG that the disk has no room for is refused as that, and leaves nothing behind', async t => {
  const directory = t.testdir()
  const small = join(directory, 'small')
  mkdirSync(small)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', small])
  using _mounted = { [Symbol.dispose]: () => execFileSync('umount', [small]) }
  const planesPath = join(directory, 'planes.yuv')
  writeFileSync(planesPath, randomBytes(planeBytes(SIZE)))
  await using pngs = new StillPngs()
  await t.rejects(pngs.ensure({ ...SIZE, planesPath, pngPath: join(small, 'still.png') }), { code: 'storage_full' })
  t.same(readdirSync(small), [])
  const pngPath = join(directory, 'still.png')
  await pngs.ensure({ ...SIZE, planesPath, pngPath })
  t.ok(statSync(pngPath).size > 0, 'where there is room, it is made')
  await t.rejects(pngs.ensure({ ...SIZE, planesPath: join(directory, 'none'), pngPath: join(directory, 'other.png') }), { code: 'internal' })
})
