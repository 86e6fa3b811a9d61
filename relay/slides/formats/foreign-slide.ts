import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import { openTiffSlide } from './tiff-slide.ts'
import { MOST_OBJECTIVE_POWER, plausible } from './tiff-pyramid.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { AssociatedImage, SlideReader } from './slide-reader.ts'
import type { TiffSlide } from './tiff-slide.ts'

/** How a slide that only OpenSlide reads is converted. */
export interface ForeignSlideOptions {
  /** Where the conversion stands until the slide is closed; it has the size of the slide. The system's directory for temporary files unless given. */
  readonly scratchDirectory?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** From 0 to 1. */
  readonly onProgress?: ((share: number) => void) | undefined
  /** Programs of libvips. */
  readonly commands?: { readonly vips: string; readonly vipsheader: string } | undefined
}

const COMMANDS = { vips: 'vips', vipsheader: 'vipsheader' } as const
/** RGB JPEG tiles without metadata; BigTIFF, because nothing tells how long it becomes. */
const TARGET = '[tile,pyramid,compression=jpeg,Q=90,bigtiff,strip,tile-width=256,tile-height=256]'
const ASSOCIATED_NAMES: ReadonlySet<string> = new Set(['label', 'macro', 'thumbnail', 'overview'])
const MOST_OUTPUT = 64 * 1024

/**
 * Opens a slide of a vendor's (NDPI, MRXS, SCN, BIF and others) through OpenSlide: libvips converts it once, into a tiled
 * pyramid that is deleted when the slide is closed. Its levels were all encoded anew, and say so.
 *
 * @throws {RelayFault} `unsupported_slide` when OpenSlide does not know the file, or libvips is not there; `bad_slide` when it breaks off;
 *   `storage_full`. The signal's reason when it is aborted.
 */
export async function openForeignSlide(path: string, options: ForeignSlideOptions = {}): Promise<SlideReader> {
  const { scratchDirectory = tmpdir(), signal, onProgress, commands = COMMANDS } = options
  const absolute = resolve(path)
  const header = await readHeader(commands.vipsheader, absolute, signal)
  await using scope = new AsyncDisposableStack()
  const directory = await mkdtemp(join(scratchDirectory, 'kenkyo-slide-'))
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  const converted = join(directory, 'converted.tif')
  const seen = new ProgressReader(onProgress)
  const { code, error } = await run(commands.vips, ['openslideload', absolute, converted + TARGET, '--rgb', '--vips-progress'], { signal, onOutput: text => seen.push(text) })
  if (code !== 0) throw new RelayFault(/no space left|disk quota/i.test(error) ? 'storage_full' : 'bad_slide', 'libvips could not convert the slide')
  const slide = scope.use(await openTiffSlide(converted))
  // What libvips prints may end before the last hundredth.
  onProgress?.(1)
  return new ForeignSlide(slide, header, scope.move())
}

interface ForeignHeader {
  readonly objectivePower: number | undefined
  readonly associated: readonly AssociatedImage[]
}

/** What OpenSlide says of a file without converting it. */
async function readHeader(vipsheader: string, path: string, signal: AbortSignal | undefined): Promise<ForeignHeader> {
  // An option after the name would be taken for the loader's own: brackets at its end are libvips' syntax.
  if (path.endsWith(']')) throw new RelayFault('unsupported_slide', 'libvips cannot open a file whose name ends with a bracket')
  const field = async (name: string): Promise<string | undefined> => {
    const { code, output } = await run(vipsheader, ['-f', name, path], { signal })
    return code === 0 ? output.trim() : undefined
  }
  if ((await field('openslide.vendor')) === undefined) throw new RelayFault('unsupported_slide', 'neither a kind of slide that is read, nor one that OpenSlide knows')
  const [width, height] = [Number(await field('width')), Number(await field('height'))]
  if (!(width >= 1 && height >= 1 && width <= SLIDE_LIMITS.side && height <= SLIDE_LIMITS.side && width * height <= SLIDE_LIMITS.tiles * 256 * 256)) throw new RelayFault('bad_slide', 'a slide of no possible size')
  const names = ((await field('slide-associated-images')) ?? '').split(',').map(name => name.trim()).filter(name => name !== '')
  return {
    objectivePower: plausible(Number(await field('openslide.objective-power')), MOST_OBJECTIVE_POWER),
    associated: names.map(name => ({ name: ASSOCIATED_NAMES.has(name) ? name : 'other', width: 0, height: 0 })),
  }
}

interface RunOptions {
  readonly signal: AbortSignal | undefined
  readonly onOutput?: (text: string) => void
}

/** sharp sets VIPSHOME for its own libvips in this process; with it, Debian's does not find its modules, among them OpenSlide. */
const environmentOf = ({ VIPSHOME: _, ...others }: NodeJS.ProcessEnv): NodeJS.ProcessEnv => others

/** Runs a program of libvips to its end. Only the beginning of what it says is kept. */
function run(command: string, args: readonly string[], { signal, onOutput }: RunOptions): Promise<{ readonly code: number | null; readonly output: string; readonly error: string }> {
  signal?.throwIfAborted()
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environmentOf(process.env), ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' }) })
    let [output, error] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MOST_OUTPUT) output += text
      onOutput?.(text)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (error.length < MOST_OUTPUT) error += text
    })
    child.once('error', cause => {
      if (signal?.aborted === true) return
      fail(new RelayFault('unsupported_slide', 'slides of this kind need libvips: install the Debian package libvips-tools', { cause }))
    })
    child.once('close', code => {
      if (signal?.aborted === true) fail(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
      else done({ code, output, error })
    })
  })
}

/** Reads `vips temp-1: 42% complete` out of what libvips prints. */
class ProgressReader {
  readonly #report: ((share: number) => void) | undefined
  #tail = ''

  constructor(report: ((share: number) => void) | undefined) {
    this.#report = report
  }

  push(text: string): void {
    const seen = [...(this.#tail + text).matchAll(/(\d{1,3})% complete/g)].at(-1)?.[1]
    this.#tail = text.slice(-32)
    if (seen !== undefined) this.#report?.(Math.min(1, Number(seen) / 100))
  }
}

/** A converted slide. Closing it deletes the conversion. */
class ForeignSlide implements SlideReader {
  readonly format = 'foreign'
  readonly levels: readonly SlideLevel[]
  readonly micronsPerPixel: SlideReader['micronsPerPixel']
  readonly objectivePower: number | undefined
  readonly associated: readonly AssociatedImage[]
  readonly withheld: readonly string[]
  readonly #slide: TiffSlide
  readonly #scope: AsyncDisposableStack

  constructor(slide: TiffSlide, { objectivePower, associated }: ForeignHeader, scope: AsyncDisposableStack) {
    this.#slide = slide
    this.#scope = scope
    this.levels = slide.levels.map(level => ({ ...level, isMade: true }))
    this.micronsPerPixel = slide.micronsPerPixel
    this.objectivePower = objectivePower
    this.associated = associated
    this.withheld = ['vendor properties', ...associated.map(({ name }) => `${name} image`)]
  }

  readTile(level: number, column: number, row: number): Promise<Buffer> {
    return this.#slide.readTile(level, column, row)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }
}
