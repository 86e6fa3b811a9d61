import t from 'tap'
import { readMediaPath, selectedPair } from './media-path.ts'

const local = (fields: object) => ({ type: 'local-candidate', id: 'L', ...fields })
const pair = { type: 'candidate-pair', id: 'P', localCandidateId: 'L', nominated: true, state: 'succeeded' }
const other = { type: 'candidate-pair', id: 'Q', localCandidateId: 'M', nominated: true, state: 'succeeded' }
const transport = { type: 'transport', selectedCandidatePairId: 'P' }

t.test('the candidate of the selected pair says by which way media comes', async t => {
  const path = (fields: object) => readMediaPath([other, pair, transport, local(fields)])
  t.equal(path({ candidateType: 'host', protocol: 'udp' }), 'udp')
  t.equal(path({ candidateType: 'prflx', protocol: 'udp' }), 'udp')
  t.equal(path({ candidateType: 'host', protocol: 'tcp' }), 'tcp')
  t.equal(path({ candidateType: 'relay', protocol: 'udp', relayProtocol: 'udp' }), 'relay-udp')
  t.equal(path({ candidateType: 'relay', protocol: 'udp', relayProtocol: 'tcp' }), 'relay-tcp')
  t.equal(path({ candidateType: 'relay', protocol: 'udp', relayProtocol: 'tls' }), 'relay-tls')
})

t.test('where the browser does not say which pair is selected, the nominated one is meant', async t => {
  t.equal(readMediaPath([{ ...other, state: 'failed' }, pair, local({ candidateType: 'host', protocol: 'tcp' })]), 'tcp')
})

t.test('before there is a pair there is no way', async t => {
  t.equal(readMediaPath([]), null)
  t.equal(readMediaPath([local({ candidateType: 'host' }), { ...pair, nominated: false }]), null)
  t.equal(selectedPair([transport, other]), undefined)
})
