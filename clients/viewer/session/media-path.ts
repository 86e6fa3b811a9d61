import type { MediaPath } from '../../../relay/wire/signaling.ts'

type Stats = Partial<Record<string, unknown>>

/** The pair of candidates that media goes by now; undefined before there is one. */
export function selectedPair(report: readonly Stats[]): Stats | undefined {
  const pairs = report.filter(({ type }) => type === 'candidate-pair')
  const selected = report.find(({ type, selectedCandidatePairId }) => type === 'transport' && typeof selectedCandidatePairId === 'string')
  if (selected !== undefined) return pairs.find(({ id }) => id === selected['selectedCandidatePairId'])
  // A browser that does not say has one nominated pair that succeeded.
  return pairs.find(({ nominated, state }) => nominated === true && state !== 'failed')
}

/**
 * By which way media comes, as this end's candidate of the pair in use says; null before there is one.
 *
 * @see W3C webrtc-stats, `RTCIceCandidateStats`: `candidateType`, `protocol`, `relayProtocol`
 */
export function readMediaPath(report: readonly Stats[]): MediaPath | null {
  const localId = selectedPair(report)?.['localCandidateId']
  const local = report.find(({ type, id }) => type === 'local-candidate' && id === localId)
  if (local === undefined) return null
  if (local['candidateType'] !== 'relay') return local['protocol'] === 'tcp' ? 'tcp' : 'udp'
  switch (local['relayProtocol']) {
    case 'tls':
      return 'relay-tls'
    case 'tcp':
      return 'relay-tcp'
    default:
      return 'relay-udp'
  }
}
