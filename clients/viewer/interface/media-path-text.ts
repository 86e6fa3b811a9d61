import type { MediaPath } from '../../../relay/wire/signaling.ts'
import type { Language } from '../i18n.ts'

const EN: Record<MediaPath, string> = {
  udp: 'direct, UDP',
  tcp: 'direct, TCP: keyframes may stall',
  'relay-udp': 'over a relay, UDP{n}',
  'relay-tcp': 'over a relay, TCP{n}: keyframes may stall',
  'relay-tls': 'over a relay, TLS{n}: keyframes may stall',
}

const JA: Record<MediaPath, string> = {
  udp: '直接（UDP）',
  tcp: '直接（TCP）：キーフレームで停止することがあります',
  'relay-udp': '中継経由（UDP{n}）',
  'relay-tcp': '中継経由（TCP{n}）：キーフレームで停止することがあります',
  'relay-tls': '中継経由（TLS{n}）：キーフレームで停止することがあります',
}

/**
 * By which way media comes and what that costs.
 *
 * @param extraMillis - What a relay adds to the round trip; null where that is not known.
 */
export function mediaPathText(language: Language, path: MediaPath, extraMillis: number | null): string {
  const [words, cost] = language === 'ja' ? [JA, `、+${extraMillis?.toFixed(0)} ms`] : [EN, `, +${extraMillis?.toFixed(0)} ms`]
  return words[path].replace('{n}', extraMillis === null ? '' : cost)
}
