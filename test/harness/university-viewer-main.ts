/**
 * A pathologist's program at another facility, as a process of its own: signs in with a ticket, asks for a grant, joins
 * as a viewer. Says `watching` when the node has told it of a microscope that publishes.
 */
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { openSignalingSocket } from '../../relay/runtime/signaling-socket.ts'
import { GrantAnswer } from '../../relay/wire/grant.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION, SIGNALING_PATH } from '../../relay/wire/signaling.ts'
import type { IncomingMessage } from 'node:http'

const [origin = '', caFile = '', invitation = '', ticket = ''] = process.argv.slice(2)
const ca = readFileSync(caFile)
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = await exportJWK(publicKey)
const never = new AbortController().signal

const proof = (method: string, path: string, token?: string): Promise<string> =>
  new SignJWT({ htm: method, htu: `${origin}${path}`, jti: randomUUID(), ...(token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }) })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .setIssuedAt()
    .sign(privateKey)

async function ask(method: string, path: string, body?: object, token?: string): Promise<unknown> {
  const asking = request(new URL(path, origin), {
    method, ca, minVersion: 'TLSv1.3', agent: false,
    headers: { dpop: await proof(method, path, token), ...(token === undefined ? {} : { authorization: `DPoP ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
  })
  asking.end(body === undefined ? undefined : JSON.stringify(body))
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  const answer = await json(response)
  if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${response.statusCode} ${JSON.stringify(answer)}`)
  return answer
}

const signedIn = (await ask('POST', '/access/sign-in/ticket', { ticket })) as { token: string }
const grant = GrantAnswer.parse(await ask('POST', '/access/grants', { invitation, purpose: 'consultation' }, signedIn.token))
const watching = Promise.withResolvers<undefined>()
const signaling = new SignalingClient(await openSignalingSocket(`${origin.replace('https', 'wss')}${SIGNALING_PATH}`, never, { ca }), {
  onNotification: notification => {
    if (notification.type === 'publicationChanged' && notification.publication !== null) watching.resolve(undefined)
  },
})
const { publication } = await signaling.request('join', { protocol: PROTOCOL_VERSION, invitation: grant.token, proof: await proof('GET', SIGNALING_PATH, grant.token) })
if (publication === null) await watching.promise
process.stdout.write('watching\n')
await signaling.closed
