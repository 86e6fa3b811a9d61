import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SlideStructure } from '../../relay/wire/slide.ts'
import type { PreparedCache } from '../../relay/slides/manifest/slide-preparation.ts'
import type { SlideId } from '../../relay/wire/ids.ts'

/** Writes a file whole or not at all; it is there after the loss of power. */
async function writeWhole(path: string, content: string | Buffer): Promise<void> {
  const draft = `${path}.draft`
  {
    await using file = await open(draft, 'w', 0o600)
    await file.writeFile(content)
    await file.sync()
  }
  await rename(draft, path)
  await using directory = await open(dirname(path), 'r')
  await directory.sync()
}

async function readWhole(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What was prepared of slides under way, in the state directory: a crash or a reboot costs no second reading. Holds nothing that names anybody. */
export class PreparedFiles {
  readonly #directory: string

  constructor(stateDir: string) {
    this.#directory = join(stateDir, 'prepared')
  }

  /** Where a slide's files are; made when missing. */
  async directoryOf(slideId: SlideId): Promise<string> {
    const directory = join(this.#directory, slideId)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return directory
  }

  /** The structure that heads of this slide were signed for; the fields in the order of the schema, so that its bytes are always the same. */
  async structure(slideId: SlideId): Promise<SlideStructure | undefined> {
    const text = await readWhole(join(this.#directory, slideId, 'structure.json'))
    return text === undefined ? undefined : SlideStructure.parse(JSON.parse(text.toString('utf8')))
  }

  async keepStructure(slideId: SlideId, structure: SlideStructure): Promise<void> {
    await writeWhole(join(await this.directoryOf(slideId), 'structure.json'), JSON.stringify(structure))
  }

  /** Level indices and heads. The index is written last: it is there only with its head. */
  levels(slideId: SlideId): PreparedCache {
    const path = (level: number, what: string): string => join(this.#directory, slideId, `level-${level}.${what}`)
    return {
      get: async level => {
        const [indexBytes, head] = [await readWhole(path(level, 'index')), await readWhole(path(level, 'head'))]
        return indexBytes === undefined || head === undefined ? undefined : { indexBytes, head: head.toString('utf8') }
      },
      put: async (level, { indexBytes, head }) => {
        await this.directoryOf(slideId)
        await writeWhole(path(level, 'head'), head)
        await writeWhole(path(level, 'index'), indexBytes)
      },
    }
  }

  /** Everything of a slide. */
  async forget(slideId: SlideId): Promise<void> {
    await rm(join(this.#directory, slideId), { recursive: true, force: true })
  }
}
