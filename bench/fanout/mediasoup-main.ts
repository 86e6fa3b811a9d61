/** An SFU with mediasoup in it, for fan-out to be measured: `kenkyo` or `mediasoup`, commanded over IPC. */
import { openBareMediasoup } from './bare-mediasoup.ts'
import { openKenkyoMedia } from './kenkyo-media.ts'
import { MediasoupCommand } from './mediasoup-messages.ts'
import type { DtlsParameters } from '../../relay/wire/webrtc.ts'
import type { MediasoupHost } from './bare-mediasoup.ts'
import type { MediasoupReply } from './mediasoup-messages.ts'

const openHost = process.argv[2] === 'kenkyo' ? openKenkyoMedia : openBareMediasoup
let host: MediasoupHost | undefined
const accepts: ((dtlsParameters: DtlsParameters) => Promise<void>)[] = []

async function obey(command: MediasoupCommand): Promise<MediasoupReply> {
  if (command.type === 'open') {
    host = await openHost(command)
    return { type: 'opened', port: host.port }
  }
  if (command.type === 'accept') {
    await accepts[command.viewer]?.(command.dtlsParameters)
    return { type: 'accepted' }
  }
  if (host === undefined) throw new Error('nothing is open')
  const { sdp, accept } = await host.offer()
  accepts.push(accept)
  return { type: 'offered', viewer: accepts.length - 1, sdp }
}

process.on('message', (raw: unknown) => {
  // Whatever fails ends the process, and whoever asked reads why on standard error.
  void obey(MediasoupCommand.parse(raw)).then(reply => process.send?.(reply))
})
process.once('disconnect', () => process.exit())
