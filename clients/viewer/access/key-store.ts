const DATABASE = 'kenkyo'
const STORE = 'keys'
const NAME = 'dpop'

/** Where a page's key pair is kept. */
export interface KeyStore {
  /** @returns What is kept; when nothing is, what `make` makes, kept from then on. */
  keep(make: () => Promise<CryptoKeyPair>): Promise<CryptoKeyPair>
}

/** This browser's database for the page's origin, which holds keys that cannot be read out. Where a browser keeps nothing (some do in private windows), each page makes its own. */
export function browserKeyStore(): KeyStore {
  return {
    async keep(make) {
      const made = await make()
      try {
        const database = await open()
        try {
          return await keepFirst(database, made)
        } finally {
          database.close()
        }
      } catch (error) {
        if (error instanceof DOMException || error instanceof ReferenceError) return made
        throw error
      }
    },
  }
}

function open(): Promise<IDBDatabase> {
  const asked = indexedDB.open(DATABASE, 1)
  asked.onupgradeneeded = () => void asked.result.createObjectStore(STORE)
  return resultOf(asked)
}

/** In one transaction: two pages that open together keep the same key. */
async function keepFirst(database: IDBDatabase, made: CryptoKeyPair): Promise<CryptoKeyPair> {
  const store = database.transaction(STORE, 'readwrite').objectStore(STORE)
  const kept: unknown = await resultOf(store.get(NAME))
  if (isKeyPair(kept)) return kept
  await resultOf(store.put(made, NAME))
  return made
}

function isKeyPair(kept: unknown): kept is CryptoKeyPair {
  return typeof kept === 'object' && kept !== null && 'privateKey' in kept && kept.privateKey instanceof CryptoKey && 'publicKey' in kept && kept.publicKey instanceof CryptoKey
}

function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error ?? new DOMException('not kept', 'UnknownError'))
  return promise
}
