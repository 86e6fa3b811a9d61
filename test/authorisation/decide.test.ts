import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { t } from 'tap'
import { OperatorTokens } from '../../relay/access/operator-token.ts'
import { generateInvitationKey } from '../../relay/access/invitation.ts'
import { matrixCells } from '../../relay/access/policy/matrix.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { oracleAllows } from './oracle.ts'
import { replayMatrix } from './replay-matrix.ts'

const decide = (origin: string, token: string | undefined, body: unknown): Promise<Response> =>
  fetch(`${origin}/access/decide`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

t.test('a running node decides the whole matrix as the oracle does', async t => {
  await using node = await NodeUnderTest.open({ links: false, slides: false })
  t.same(await replayMatrix(node.node.origin, await node.operatorToken()), [])
})

t.test('a node with other policies is found out', async t => {
  const policiesDir = t.testdir()
  await writeFile(join(policiesDir, 'all.cedar'), '@id("all") permit (principal, action == Kenkyo::Action::"speak", resource);')
  await using node = await NodeUnderTest.open({ links: false, slides: false, policiesDir })
  const wrong = await replayMatrix(node.node.origin, await node.operatorToken())
  t.equal(wrong.length, matrixCells().filter(cell => oracleAllows(cell) !== (cell.action === 'speak')).length)
})

t.test('nobody but an operator is told, and nothing but facts is taken', async t => {
  await using node = await NodeUnderTest.open({ links: false, slides: false })
  const { origin } = node.node
  const questions = matrixCells().slice(0, 1)
  const stranger = await (await OperatorTokens.open(await generateInvitationKey())).issue()
  const invitation = new URLSearchParams(new URL(await node.invite('viewer')).hash.slice(1)).get('invitation') ?? ''
  const symmetric = await new SignJWT().setProtectedHeader({ alg: 'HS256' }).setAudience('kenkyo-operator').setExpirationTime('1 min').sign(new Uint8Array(32))
  t.match(await decide(origin, undefined, { questions }), { status: 401 })
  for (const [name, token] of Object.entries({ stranger, invitation, symmetric, none: 'e30.e30.' })) t.match(await decide(origin, token, { questions }), { status: 401 }, name)
  const token = await node.operatorToken()
  t.match(await decide(origin, token, { questions }), { status: 200 })
  const [facts] = questions
  const hostile: unknown[] = [{}, { questions: [] }, { questions: Array(513).fill(facts) }, { questions: [{ ...facts, role: 'owner' }] }, { questions: [{ ...facts, extra: 1 }] }, { questions: [{ ...facts, headRoomBitsPerSecond: -1 }] }, 'no JSON', '[]']
  for (const body of hostile) t.match(await decide(origin, token, body), { status: 400 }, JSON.stringify(body).slice(0, 60))
  t.match(await decide(origin, token, `"${'x'.repeat(300_000)}"`), { status: 413 })
})
