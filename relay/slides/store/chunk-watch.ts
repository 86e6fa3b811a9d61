import type { MemberId, Sha256 } from '../../wire/ids.ts'
import type { ChunkListener } from './slide-store.ts'

/** Who wants to hear of chunks that come and go. */
export class ChunkWatch {
  readonly #listeners = new Set<ChunkListener>()

  add(listener: ChunkListener): Disposable {
    const entry: ChunkListener = (...change) => listener(...change)
    this.#listeners.add(entry)
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) }
  }

  tell(owner: MemberId, sha256: Sha256, isHere: boolean): void {
    for (const listener of this.#listeners) listener(owner, sha256, isHere)
  }
}
