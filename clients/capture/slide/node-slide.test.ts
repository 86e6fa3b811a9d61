import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { parseInvitation } from '../../../relay/runtime/invitation-link.ts'
import { NodeAccess } from '../../../relay/runtime/node-access.ts'
import { SlideId } from '../../../relay/wire/ids.ts'
import { NodeSlide } from './node-slide.ts'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

t.test('a node that breaks off, refuses, or describes no slide is told by a code', async t => {
  const slideId = SlideId.parse('5f0b7f0e-6c8e-4d2a-9f5e-1c2d3e4f5a6b')
  const answers: readonly (readonly [string, RequestListener])[] = [
    ['unavailable', (_request, response) => response.writeHead(200, { 'content-length': 1000 }).write('{', () => response.destroy())],
    ['unavailable', (_request, response) => response.destroy()],
    ['unavailable', (_request, response) => response.writeHead(500).end()],
    ['not_found', (_request, response) => response.writeHead(404).end()],
    ['grant_refused', (_request, response) => response.writeHead(403).end()],
    ['bad_slide', (_request, response) => response.writeHead(200).end('{"structure":"e30="}')],
  ]
  for (const [code, answer] of answers) {
    const server = createServer(answer)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await t.rejects(NodeSlide.open({ access: new NodeAccess({ address: parseInvitation('a.b.c', `http://127.0.0.1:${(server.address() as AddressInfo).port}`) }), slideId }), { name: 'RelayFault', code })
    server.closeAllConnections()
    server.close()
  }
})
