import t from 'tap'
import { MEDIA_PATHS } from '../../../relay/wire/signaling.ts'
import { mediaPathText } from './media-path-text.ts'

t.test('a relay and what it costs are named in both languages', async t => {
  t.equal(mediaPathText('en', 'relay-tls', 12.4), 'over a relay, TLS, +12 ms: keyframes may stall')
  t.equal(mediaPathText('ja', 'relay-tls', 12.4), '中継経由（TLS、+12 ms）：キーフレームで停止することがあります')
  t.equal(mediaPathText('en', 'relay-udp', null), 'over a relay, UDP')
  t.equal(mediaPathText('en', 'udp', 3), 'direct, UDP')
})

t.test('every way has words of its own', async t => {
  for (const language of ['ja', 'en'] as const) t.equal(new Set(MEDIA_PATHS.map(path => mediaPathText(language, path, null))).size, MEDIA_PATHS.length)
})
