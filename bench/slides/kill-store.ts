#!/usr/bin/env node
/** `node bench/slides/kill-store.ts --count 1000`: kills a process that fills a slide store, again and again, and looks whether anything acknowledged is gone. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createLogger } from '../../relay/runtime/log.ts'
import { FileSlideStore } from '../../relay/slides/store/file-slide-store.ts'
import { ALICE } from './test-slide.ts'
import type { Sha256, SlideId } from '../../relay/wire/ids.ts'

/** What many kills did. */
export interface KillOutcome {
  readonly kills: number
  /** Acknowledgements that were checked. */
  readonly acknowledged: number
  /** What was acknowledged and is not there, or is not what it was. */
  readonly lost: readonly string[]
}

/** Slides stand over so many kills at most: every look reads all of them. */
const STANDING_KILLS = 8

/** What a victim said of one slide. */
interface Said {
  readonly chunks: { readonly sha256: Sha256; readonly length: number }[]
  hasLevel: boolean
  isComplete: boolean
  /** `maybe` between the call and its acknowledgement. */
  isDeleted: 'no' | 'maybe' | 'yes'
}

/**
 * Kills a victim with SIGKILL at random moments and opens its store after each.
 *
 * @param random - From 0 to 1; the moment is after so many of up to 250 acknowledgements.
 */
export async function killRepeatedly(directory: string, count: number, random: () => number, onKill?: (done: number) => void): Promise<KillOutcome> {
  const lost: string[] = []
  let acknowledged = 0
  const standing: Map<SlideId, Said>[] = []
  for (let kill = 1; kill <= count; kill++) {
    const newest = await runVictim(directory, Math.floor(random() * 250))
    standing.push(newest)
    await using store = await FileSlideStore.open({ directory, quotaBytes: 2 ** 40, log: createLogger({ level: 'silent', program: 'bench' }) })
    for (const said of standing) {
      for (const [slideId, slide] of said) {
        if (said === newest) acknowledged += 1 + slide.chunks.length
        lost.push(...(await lostOf(store, slideId, slide)))
      }
    }
    await store.verify(({ kind, chunk }) => lost.push(`${kind} ${chunk}`))
    const oldest = standing.length >= STANDING_KILLS ? standing.shift() : undefined
    for (const slideId of oldest?.keys() ?? []) await store.deleteSlide(slideId)
    onKill?.(kill)
  }
  return { kills: count, acknowledged, lost }
}

async function runVictim(directory: string, acknowledgements: number): Promise<Map<SlideId, Said>> {
  const victim = spawn(process.execPath, [join(import.meta.dirname, 'store-victim.ts'), directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(victim, 'exit')
  const said = new Map<SlideId, Said>()
  let heard = 0
  for await (const line of createInterface(victim.stdout)) {
    // Not at once: the pipe holds what was said before, and the victim is somewhere behind that.
    if (heard++ === acknowledgements) victim.kill('SIGKILL')
    const [what, id, chunk, length] = line.split(' ') as [string, SlideId, Sha256, string]
    const slide = said.get(id) ?? { chunks: [], hasLevel: false, isComplete: false, isDeleted: 'no' }
    said.set(id, slide)
    if (what === 'level') slide.hasLevel = true
    else if (what === 'chunk') slide.chunks.push({ sha256: chunk, length: Number(length) })
    else if (what === 'complete') slide.isComplete = true
    else if (what === 'deleting') slide.isDeleted = 'maybe'
    else if (what === 'deleted') slide.isDeleted = 'yes'
  }
  const [code] = (await ended) as [number | null]
  if (code !== null) throw new Error(`the victim ended by itself with ${code}`)
  return said
}

async function lostOf(store: FileSlideStore, slideId: SlideId, said: Said): Promise<string[]> {
  const kept = store.slide(slideId)
  if (said.isDeleted !== 'no') return kept !== undefined && said.isDeleted === 'yes' ? [`deletion of ${slideId}`] : []
  if (kept === undefined) return [`slide ${slideId}`]
  const lost: string[] = []
  if (said.hasLevel && store.level(slideId, 0) === undefined) lost.push(`level of ${slideId}`)
  if (said.isComplete && (kept.state !== 'complete' || store.slideHead(slideId) !== 'whole')) lost.push(`completion of ${slideId}`)
  for (const { sha256, length } of said.chunks) {
    const body = await store.readChunk(ALICE, sha256, 0, length).catch(() => undefined)
    if (body === undefined || createHash('sha256').update(body).digest('hex') !== sha256) lost.push(`chunk ${sha256}`)
  }
  return lost
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '1000' } } })
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-kill-store-'))
  try {
    const { kills, acknowledged, lost } = await killRepeatedly(directory, Number(values.count), Math.random, done => done % 50 === 0 && console.log(`${done} kills`))
    const packs = await readdir(join(directory, 'packs'))
    console.log(`${kills} kills, ${acknowledged} acknowledgements checked, ${lost.length} lost, ${packs.length} packs left`)
    for (const what of lost) console.log(what)
    process.exitCode = lost.length === 0 ? 0 : 1
  } finally {
    await rm(directory, { recursive: true })
  }
}
