import t from 'tap'
import { findInvitation, parseInvitation } from './invitation-link.ts'
import type { RelayFault } from '../wire/fault.ts'

const TOKEN = 'eyJhbGciOiJFZERTQSJ9.eyJhdWQiOiJrZW5reW8ifQ.c2lnbmF0dXJl'

t.test('finds signaling and token in the link that a node prints', async t => {
  t.same(parseInvitation(`http://127.0.0.1:7680/#invitation=${TOKEN}\n`, undefined), { signalingUrl: 'ws://127.0.0.1:7680/signaling', origin: 'http://127.0.0.1:7680', host: '127.0.0.1', isLoopback: true, invitation: TOKEN })
  t.same(parseInvitation(`https://relay.example/#invitation=${TOKEN}`, undefined), { signalingUrl: 'wss://relay.example/signaling', origin: 'https://relay.example', host: 'relay.example', isLoopback: false, invitation: TOKEN })
  t.equal(parseInvitation(`http://[::1]:7680/#invitation=${TOKEN}`, undefined).isLoopback, true)
})

t.test('takes a token with the address of the node, which also overrides a link', async t => {
  t.equal(parseInvitation(TOKEN, 'https://relay.example:8443').signalingUrl, 'wss://relay.example:8443/signaling')
  t.equal(parseInvitation(`http://127.0.0.1/#invitation=${TOKEN}`, 'http://10.0.0.2').signalingUrl, 'ws://10.0.0.2/signaling')
})

t.test('refuses everything else without repeating it', async t => {
  const refused: readonly (readonly [string, string | undefined])[] = [
    [TOKEN, undefined],
    ['', 'http://127.0.0.1'],
    ['http://127.0.0.1:7680/', undefined],
    ['http://127.0.0.1:7680/#invitation=', undefined],
    [`http://127.0.0.1:7680/?invitation=${TOKEN}`, undefined],
    [`ftp://127.0.0.1/#invitation=${TOKEN}`, undefined],
    [`${TOKEN} ${TOKEN}`, 'http://127.0.0.1'],
  ]
  for (const [invitation, node] of refused) {
    try {
      parseInvitation(invitation, node)
      t.fail(`accepted ${invitation}`)
    } catch (error) {
      t.match(error, { code: 'bad_config' })
      t.notOk((error as RelayFault).message.includes(TOKEN))
    }
  }
  await t.rejects(findInvitation({}), { code: 'bad_config' })
  await t.rejects(findInvitation({ invitationFile: '/nonexistent' }), { code: 'bad_config' })
})
