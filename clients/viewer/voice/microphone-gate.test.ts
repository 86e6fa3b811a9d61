import t from 'tap'
import { MicrophoneGate } from './microphone-gate.ts'

t.test('is open until it is muted, and while a key is held', async t => {
  const gate = new MicrophoneGate()
  t.equal(gate.isOpen.value, true)
  gate.toggle()
  t.equal(gate.isOpen.value, false)
  gate.isHeld.value = true
  t.equal(gate.isOpen.value, true, 'held')
  gate.isHeld.value = false
  t.equal(gate.isOpen.value, false, 'let go')
  gate.toggle()
  t.equal(gate.isOpen.value, true)
})

t.test('push to talk is closed but while held, and ends with the mute key', async t => {
  const gate = new MicrophoneGate()
  gate.isPushToTalk.value = true
  t.equal(gate.isOpen.value, false)
  gate.isHeld.value = true
  t.equal(gate.isOpen.value, true)
  gate.isHeld.value = false
  gate.toggle()
  t.same([gate.isOpen.value, gate.isPushToTalk.value], [true, false])
})
