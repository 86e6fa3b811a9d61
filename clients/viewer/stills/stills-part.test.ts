import { once } from 'node:events'
import { createServer } from 'node:http'
import { t } from 'tap'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { MemberId, PublicationId, StillId } from '../../../relay/wire/ids.ts'
import { fetchFromNode } from '../access/node-fetch.ts'
import { fetchReason, stillReason } from './still-words.ts'
import { StillsPart } from './stills-part.ts'
import type { StillSummary } from '../../../relay/wire/still.ts'
import type { NodeVoice } from '../session/connection-part.ts'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

const KEPT: StillSummary = {
  stillId: StillId.parse('5f0b7f0e-6c8e-4d2a-9f5e-1c2d3e4f5a6b'), publicationId: PublicationId.parse('6f0b7f0e-6c8e-4d2a-9f5e-1c2d3e4f5a6b'), rtpTimestamp: 1,
  keptBy: MemberId.parse('reader'), askedAtMillis: 0, state: 'kept', origin: 'exact', missingTiles: 0, fault: null,
}

const SILENT: NodeVoice = {
  may: () => true,
  ask: () => Promise.reject(new RelayFault('unavailable', 'no session')),
  askOfPublication: () => Promise.reject(new RelayFault('unavailable', 'no session')),
}

/** A node that makes no picture now. */
async function open(t: Test): Promise<StillsPart> {
  const server = createServer((_request, response) => response.writeHead(503, { 'content-type': 'application/json' }).end('{"code":"overloaded"}'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const part = new StillsPart(SILENT, path => fetchFromNode(origin + path, {}))
  part.heard({ type: 'stillsChanged', stills: [KEPT] })
  return part
}

t.test('a still that cannot be fetched is not said to be not kept', async t => {
  const part = await open(t)
  await part.keep(undefined)
  t.match({ fault: part.fault.value?.code, attempt: part.attempt.value }, { fault: 'not_found', attempt: 'keep' })
  await part.show(KEPT.stillId)
  t.match({ fault: part.fault.value?.code, attempt: part.attempt.value, open: part.open.value }, { fault: 'overloaded', attempt: 'fetch', open: null })
  await part.save(KEPT.stillId, 'planes')
  t.equal(part.attempt.value, 'fetch')
  for (const language of ['ja', 'en'] as const) t.not(fetchReason(language, 'unavailable'), stillReason(language, 'unavailable'), 'and nothing is said of the microscope')
})

t.test('nothing is on its way any more once the session ended', async t => {
  const part = await open(t)
  part.heard({ type: 'stillsChanged', stills: [{ ...KEPT, state: 'wanted', origin: null }] })
  part.lost()
  t.same(part.stills.value, [])
})
