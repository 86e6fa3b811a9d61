import { effect } from '@preact/signals'
import { t } from 'tap'
import { Allowance } from './allowance.ts'

t.test('lets a trainee watch, and neither point, steer, speak nor draw', async t => {
  const allowance = new Allowance()
  allowance.joined({ role: 'viewer', actions: ['view_live', 'view_slide', 'view_recording'] })
  for (const type of ['createTransport', 'subscribe', 'watch', 'hear', 'reportExperience', 'readClock', 'openReplay', 'stopStage'] as const) t.ok(allowance.mayAsk(type), type)
  for (const type of ['pointAtImage', 'annotateImage', 'pointAtSlide', 'leadSlide', 'claimStage', 'moveStage', 'speak', 'keepStill', 'startRecording'] as const) t.notOk(allowance.mayAsk(type), type)
})

t.test('asks nothing that is another role\'s', async t => {
  const allowance = new Allowance()
  allowance.joined({ role: 'technician', actions: ['view_live', 'point', 'publish_live', 'send_slide'] })
  t.ok(allowance.mayAsk('pointAtImage'))
  t.notOk(allowance.mayAsk('pointAtSlide'), 'slides are not a technician\'s')
  for (const type of ['publish', 'publishLink', 'reportStage'] as const) t.notOk(allowance.mayAsk(type), type)
})

t.test('allows nothing that needs a permission before the node has said anything', async t => {
  const allowance = new Allowance()
  t.ok(allowance.mayAsk('join'))
  for (const type of ['subscribe', 'watch', 'hear', 'pointAtImage', 'moveStage', 'speak', 'keepStill', 'openReplay'] as const) t.notOk(allowance.mayAsk(type), type)
})

t.test('tells of a change, and of nothing else', async t => {
  const allowance = new Allowance()
  const seen: string[] = []
  effect(() => void seen.push([...allowance.actions.value].join(' ')))
  allowance.granted(['view_live', 'point'])
  allowance.granted(['point', 'view_live'])
  allowance.granted(['view_live'])
  t.same(seen, ['', 'view_live point', 'view_live'])
})
