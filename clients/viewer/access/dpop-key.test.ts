import { decodeJwt, decodeProtectedHeader } from 'jose'
import { t } from 'tap'
import { PossessionVerifier } from '../../../relay/access/grants/proof-of-possession.ts'
import { DpopKey } from './dpop-key.ts'
import type { KeyStore } from './key-store.ts'

const ORIGIN = 'https://node.example:8443'
const TOKEN = 'a.token.of-the-node'

function memoryStore(): KeyStore & { readonly kept: CryptoKeyPair[] } {
  const kept: CryptoKeyPair[] = []
  return {
    kept,
    async keep(make) {
      if (kept[0] === undefined) kept.push(await make())
      return kept[0] ?? Promise.reject(new Error('nothing was kept'))
    },
  }
}

t.test('the node takes its proofs for the request and the token they were made for, and for no other', async t => {
  const key = await DpopKey.open({ store: memoryStore() })
  const node = new PossessionVerifier({ origin: () => ORIGIN })
  const bound = { jkt: key.thumbprint }
  const proof = (): Promise<string> => key.proof('POST', `${ORIGIN}/access/grants?x=1#y`, TOKEN)
  await t.resolves(node.verify(TOKEN, bound, { proof: await proof(), method: 'POST', path: '/access/grants' }))
  await t.rejects(node.verify('another', bound, { proof: await proof(), method: 'POST', path: '/access/grants' }), { code: 'token_refused' })
  await t.rejects(node.verify(TOKEN, bound, { proof: await proof(), method: 'GET', path: '/access/grants' }), { code: 'token_refused' })
  await t.resolves(node.verify(TOKEN, bound, { proof: await key.proof('GET', 'wss://node.example:8443/signal', TOKEN), method: 'GET', path: '/signal' }), 'of a socket as of a request')
  t.equal(await node.readProof({ proof: await key.proof('POST', `${ORIGIN}/sign-in`), method: 'POST', path: '/sign-in' }), key.thumbprint)
})

t.test('the private key is not in a proof and cannot be read out', async t => {
  const store = memoryStore()
  const key = await DpopKey.open({ store })
  t.equal(store.kept[0]?.privateKey.extractable, false)
  t.same(Object.keys(decodeProtectedHeader(await key.proof('GET', ORIGIN)).jwk ?? {}).sort(), ['crv', 'kty', 'x', 'y'])
})

t.test('what is kept is used again', async t => {
  const store = memoryStore()
  t.equal((await DpopKey.open({ store })).thumbprint, (await DpopKey.open({ store })).thumbprint)
  t.not((await DpopKey.open({ store: memoryStore() })).thumbprint, (await DpopKey.open({ store })).thumbprint)
})

t.test('its proofs are of the node\'s time when its own clock is wrong', async t => {
  const key = await DpopKey.open({ store: memoryStore(), now: () => 1_000_000 })
  t.equal(decodeJwt(await key.proof('GET', ORIGIN)).iat, 1000)
  key.followClock(5_000_000)
  t.equal(decodeJwt(await key.proof('GET', ORIGIN)).iat, 5000)
})
