import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { MANIFEST_FILE, imageTicks, loadRecording } from './recording.ts'
import { RecordingWriter } from './recording-writer.ts'
import { readRtpdump, rtpdumpHeader, rtpdumpRecord } from '../../relay/recordings/rtpdump.ts'
import { millis } from '../../relay/wire/units.ts'
import type { EncodedFrame } from './encoded-frame.ts'
import type { RecordingManifest } from './recording.ts'

const PYRAMID = planPyramid({ width: 64, height: 64, columns: 1, rows: 1, overviewWidth: 32, framesPerSecond: 30 })
const FRAMES = 4
const root = await mkdtemp(join(tmpdir(), 'kenkyo-recording-'))
t.teardown(() => rm(root, { recursive: true }))

const frameOf = (rendition: number, image: number, over: Partial<EncodedFrame> = {}): EncodedFrame => ({
  renditionId: PYRAMID.renditions[rendition]!.id,
  mediaTicks: imageTicks(image, PYRAMID.framesPerSecond),
  isKeyFrame: image === 0,
  payloads: [Buffer.from([image === 0 ? 0x65 : 0x41, rendition, image]), Buffer.from([0x41, 9, 9])],
  ...over,
})

async function writeRecording(directory: string, frames = FRAMES): Promise<void> {
  await using writer = await RecordingWriter.open(directory, PYRAMID, FRAMES)
  for (let image = 0; image < frames; image++) for (const rendition of PYRAMID.renditions.keys()) writer.append(frameOf(rendition, image))
  await writer.finish()
}

t.test('gives back what was written, frame by frame', async t => {
  const directory = join(root, 'whole')
  // One frame more than asked for: it is left out.
  await writeRecording(directory, FRAMES + 1)
  const recording = await loadRecording(directory)
  t.same(recording.pyramid, PYRAMID)
  t.equal(recording.images.length, FRAMES)
  t.same(recording.images[2], [frameOf(0, 2), frameOf(1, 2)])
  t.same((await readdir(root)).filter(name => name.startsWith('.')), [], 'nothing temporary remains')
})

t.test('replaces a recording, but no other directory', async t => {
  const directory = join(root, 'whole')
  await t.resolves(writeRecording(directory))
  const foreign = join(root, 'home')
  await mkdir(foreign)
  await writeFile(join(foreign, 'thesis.txt'), 'years of work')
  await t.rejects(writeRecording(foreign), { code: 'bad_config' })
  t.same(await readdir(foreign), ['thesis.txt'])
})

t.test('leaves nothing behind when a frame was lost or frames are missing', async t => {
  const directory = join(root, 'broken')
  await t.rejects(writeRecording(directory, 2), { code: 'bad_recording' })
  await using writer = await RecordingWriter.open(directory, PYRAMID, FRAMES)
  writer.append(frameOf(0, 0))
  t.throws(() => writer.append(frameOf(0, 2)), { code: 'bad_rtp' })
  t.throws(() => writer.append(frameOf(1, 0, { isKeyFrame: false })), { code: 'encoder_failed' })
  await writer[Symbol.asyncDispose]()
  t.notOk((await readdir(root)).some(name => name === 'broken' || name.startsWith('.')))
})

t.test('refuses recordings that are damaged in any way', async t => {
  const damages: Readonly<Record<string, (directory: string) => Promise<unknown>>> = {
    'no manifest': directory => rm(join(directory, MANIFEST_FILE)),
    'a manifest that is not JSON': directory => writeFile(join(directory, MANIFEST_FILE), '{'),
    'another version': directory => edit(directory, manifest => ({ ...manifest, version: 1 })),
    'a path in a file name': directory => edit(directory, manifest => ({ ...manifest, renditions: manifest.renditions.map(entry => ({ ...entry, file: '../x.rtpdump' })) })),
    'another frame count': directory => edit(directory, manifest => ({ ...manifest, frameCount: FRAMES + 1 })),
    'one rendition less': directory => edit(directory, manifest => ({ ...manifest, renditions: [manifest.renditions[0], manifest.renditions[0]] })),
    'a missing file': directory => rm(join(directory, 'overview.rtpdump')),
    'a file cut short': directory => truncate(join(directory, 'overview.rtpdump'), 100),
    'a changed byte': async directory => {
      const path = join(directory, 'tile-0-0.rtpdump')
      const bytes = await readFile(path)
      bytes[bytes.length - 1]! ^= 1
      await writeFile(path, bytes)
    },
  }
  for (const [name, damage] of Object.entries(damages)) {
    const directory = join(root, 'damaged')
    await writeRecording(directory)
    await damage(directory)
    await t.rejects(loadRecording(directory), { code: 'bad_recording' }, name)
    await rm(directory, { recursive: true })
  }
  await t.rejects(loadRecording(join(root, 'nowhere')), { code: 'bad_recording' })
})

type Loose = RecordingManifest & { renditions: object[] }

async function edit(directory: string, change: (manifest: Loose) => object): Promise<void> {
  const path = join(directory, MANIFEST_FILE)
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as Loose)))
}

t.test('reads rtpdump and refuses what is none', async t => {
  const packets = [Buffer.from('first'), Buffer.from('second')]
  const file = Buffer.concat([rtpdumpHeader(), ...packets.map((packet, index) => rtpdumpRecord(packet, millis(index * 33)))])
  t.same([...readRtpdump(file)], packets)
  const hostile = [Buffer.alloc(0), Buffer.from('#!rtpplay1.0'), Buffer.from('GIF89a\n'), file.subarray(0, -1), file.subarray(0, -9), Buffer.concat([file, Buffer.alloc(8)])]
  for (const bytes of hostile) t.throws(() => [...readRtpdump(bytes)], { code: 'bad_recording' })
})
