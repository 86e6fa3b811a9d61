import t from 'tap'
import { readInvitation } from './invitation-link.ts'

const token = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

t.test('finds token and signaling address in the link', async t => {
  const viewer = token({ role: 'viewer' })
  t.same(readInvitation(`http://127.0.0.1:7680/#invitation=${viewer}`), { signalingUrl: 'ws://127.0.0.1:7680/signaling', token: viewer })
  t.equal(readInvitation(`https://node.example/?frames=video#invitation=${viewer}`).signalingUrl, 'wss://node.example/signaling')
})

t.test('takes the purpose from the link, where it is one', async t => {
  const viewer = token({ role: 'viewer' })
  t.equal(readInvitation(`http://127.0.0.1/#invitation=${viewer}&purpose=teaching&ticket=abc`).purpose, 'teaching')
  t.equal(readInvitation(`http://127.0.0.1/#invitation=${viewer}&purpose=curiosity`).purpose, undefined)
})

t.test('refuses a link without an invitation', async t => {
  for (const hash of ['', '#', '#invitation=', '#invite=abc']) {
    t.throws(() => readInvitation(`http://127.0.0.1/${hash}`), { code: 'bad_message' })
  }
})

t.test("takes neither a microscope's place nor a scanner's", async t => {
  for (const role of ['microscope', 'scanner']) {
    t.throws(() => readInvitation(`http://127.0.0.1/#invitation=${token({ role })}`), { code: 'wrong_role' })
  }
})

t.test('leaves an unreadable token to the node', async t => {
  for (const odd of ['abc', 'a.b.c', 'a.%.c', `e30.${Buffer.from('null').toString('base64url')}.x`]) {
    t.equal(readInvitation(`http://127.0.0.1/#invitation=${encodeURIComponent(odd)}`).token, odd)
  }
})
