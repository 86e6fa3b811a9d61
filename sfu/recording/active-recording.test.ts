import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { serializeRtp } from '../../relay/recordings/rtp-packet.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { markCoarse } from '../../relay/wire/coarse-mark.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId, OVERVIEW, PublicationId, RecordingId, tileId } from '../../relay/wire/ids.ts'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { ActiveRecording } from './active-recording.ts'
import { systemDisk } from './recording-disk.ts'
import { RECORDING_FILES } from './recording-files.ts'
import { RecordingShelf, surveyRecordings } from './recording-shelf.ts'
import type { Test } from 'tap'
import type { RecordingDisk } from './recording-disk.ts'

const ID = RecordingId.parse('6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11')
const PUBLICATION = { publicationId: PublicationId.parse(ID), pyramid: planPyramid({ width: 64, height: 64, columns: 1, rows: 1, overviewWidth: 32, framesPerSecond: 30 }), stage: null }
const HEADER = { version: 1, recordingId: ID, consultationId: ConsultationId.parse('case-1'), startedAtMillis: 1000, startedBy: MemberId.parse('someone') } as const
const TILE = tileId(0, 0)
/** Of each packet's payload. */
const PAYLOAD_BYTES = 1000

/** A directory for recordings, and one that has begun in it. */
async function begin(t: Test, { disk = systemDisk, take = (_bytes: number): void => undefined } = {}) {
  const state = await mkdtemp(join(tmpdir(), 'kenkyo-recording-'))
  t.teardown(() => rm(state, { recursive: true }))
  const shelf = new RecordingShelf(join(state, 'case-1', 'recordings'))
  const directory = await shelf.create(HEADER)
  const recording = await ActiveRecording.open({ recordingId: ID, directory, disk, clock: systemClock, take })
  const push = await recording.begin(PUBLICATION)
  const sequence = new Map<string, number>()
  /** One frame of one packet; every tenth is a keyframe. */
  const frame = (id: typeof TILE, index: number): void => {
    const sequenceNumber = sequence.get(id) ?? 7
    sequence.set(id, sequenceNumber + 1)
    const payload = Buffer.alloc(PAYLOAD_BYTES, index % 10 === 0 ? 0x65 : 0x41)
    push(id, serializeRtp({ payloadType: 101, marker: true, sequenceNumber, timestamp: rtpTimestamp(4_294_900_000 + index * 3000), ssrc: 9, payload }))
  }
  return { state, shelf, directory, recording, push, frame }
}

/** Takes so many bytes and then has no room. */
function smallDisk(capacity: number): RecordingDisk {
  let left = capacity
  return {
    roomBytes: async () => 1,
    create: async path => {
      const file = await systemDisk.create(path)
      return {
        append: async pieces => {
          const whole = Buffer.concat(pieces)
          const fits = whole.subarray(0, Math.max(0, left))
          left -= whole.length
          if (fits.length > 0) await file.append([fits])
          if (fits.length < whole.length) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        },
        sync: () => file.sync(),
        close: () => file.close(),
      }
    },
  }
}

t.test('keeps every frame of what flowed, over the wrap of the RTP clock, and says when', async t => {
  const { shelf, recording, frame } = await begin(t)
  for (let index = 0; index < 60; index++) {
    frame(OVERVIEW, index)
    if (index >= 25) frame(TILE, index)
  }
  await recording.end(null)
  t.match(await recording.ended, { fault: null })
  await shelf.conclude(ID, { state: 'ended', fault: null })
  const { recording: read, summary } = await shelf.read(ID)
  const [segment] = read.segments
  const [overview, tile] = await Promise.all([segment!.frames(OVERVIEW), segment!.frames(TILE)])
  t.same(overview.map(({ ticks }) => ticks - overview[0]!.ticks), Array.from({ length: 60 }, (_, index) => index * 3000))
  t.equal(tile.length, 30, 'from its first keyframe on')
  t.ok(tile[0]?.isKeyFrame)
  t.equal(tile[0]?.ticks, overview[30]?.ticks, 'on one clock')
  t.match(summary, { state: 'ended', fault: null, gaps: [] })
  t.ok(summary.bytes > 85 * PAYLOAD_BYTES && summary.durationMillis > 1900)
  t.same(await shelf.list(), [{ recordingId: ID, startedAtMillis: 1000, by: 'someone', durationMillis: summary.durationMillis, bytes: summary.bytes, state: 'ended', fault: null, gaps: [] }])
})

t.test('a disk that fills ends the recording, which stays readable', async t => {
  const { shelf, recording, frame } = await begin(t, { disk: smallDisk(30 * PAYLOAD_BYTES) })
  for (let index = 0; index < 60; index++) frame(OVERVIEW, index)
  const { fault } = await recording.ended
  t.equal(fault?.code, 'storage_full')
  frame(OVERVIEW, 60)
  t.doesNotThrow(() => recording.note({ type: 'unpublished', segment: 0 }), 'and takes nothing more')
  const { recording: read } = await shelf.read(ID)
  await read.repair()
  const frames = (await shelf.read(ID)).recording.segments[0]!.frames(OVERVIEW)
  t.ok((await frames).length > 20, 'what fitted can be shown')
})

t.test('a disk without room is not begun on', async t => {
  await t.rejects(begin(t, { disk: { ...systemDisk, roomBytes: async () => 0 } }), { code: 'storage_full' })
})

t.test('a quota that is used up ends the recording', async t => {
  let left = 20 * PAYLOAD_BYTES
  const take = (bytes: number): void => {
    if ((left -= bytes) < 0) throw new RelayFault('quota_exceeded', 'full')
  }
  const { recording, frame } = await begin(t, { take })
  for (let index = 0; index < 60; index++) frame(OVERVIEW, index)
  t.equal((await recording.ended).fault?.code, 'quota_exceeded')
})

t.test('what a node that was killed left behind is made readable at the next start', async t => {
  const { state, shelf, directory, recording, frame } = await begin(t)
  for (let index = 0; index < 45; index++) frame(OVERVIEW, index)
  await recording.end(null)
  // As if it had been killed in the middle of a packet, with the index behind.
  const dump = join(directory, '0', 'overview.rtpdump')
  const index = join(directory, '0', 'overview.index')
  await writeFile(dump, (await readFile(dump)).subarray(0, -300))
  await writeFile(index, (await readFile(index)).subarray(0, 24 * 33 + 5))
  t.match(await shelf.list(), [{ state: 'cut' }], 'there even before')
  const unreadable: unknown[] = []
  t.ok((await surveyRecordings(state, error => unreadable.push(error))) > 40 * PAYLOAD_BYTES)
  t.same(unreadable, [])
  const { recording: read, summary } = await shelf.read(ID)
  t.match(summary, { state: 'cut', fault: null })
  t.equal((await read.segments[0]!.frames(OVERVIEW)).length, 44, 'all whole frames, and not the torn one')
  t.match(JSON.parse(await readFile(join(directory, RECORDING_FILES.header), 'utf8')), HEADER)
})

t.test('a directory that is no recording is left out', async t => {
  const { state, shelf, directory, recording } = await begin(t)
  await recording.end(null)
  await writeFile(join(directory, RECORDING_FILES.header), '{')
  t.same(await shelf.list(), [])
  let failures = 0
  await surveyRecordings(state, () => failures++)
  t.equal(failures, 1)
  await t.rejects(shelf.read(ID), { code: 'bad_recording' })
})

t.test('what says of an image that it is coarse stays in its time', async t => {
  for (const first of [4_294_900_000, 4_294_900_001]) {
    const { shelf, recording, push } = await begin(t)
    for (let index = 0; index < 20; index++) {
      const timestamp = rtpTimestamp(markCoarse(first + index * 3000, index % 3 === 0))
      push(TILE, serializeRtp({ payloadType: 101, marker: true, sequenceNumber: index, timestamp, ssrc: 9, payload: Buffer.alloc(PAYLOAD_BYTES, index % 10 === 0 ? 0x65 : 0x41) }))
    }
    await recording.end(null)
    await shelf.conclude(ID, { state: 'ended', fault: null })
    const frames = await (await shelf.read(ID)).recording.segments[0]!.frames(TILE)
    t.same(frames.map(({ ticks }) => ticks % 2 === 1), Array.from({ length: 20 }, (_, image) => image % 3 === 0))
  }
})
