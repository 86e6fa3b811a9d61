import t from 'tap'
import { ACCEPTANCE_WORDS, acceptanceSpeaker } from './acceptance-words.ts'

const braces = (text: string): string => [...new Set(text.match(/\{\w+\}/g))].sort().join()

t.test('both languages put the same things into each word', async t => {
  for (const word of ACCEPTANCE_WORDS) t.equal(braces(acceptanceSpeaker('ja')(word)), braces(acceptanceSpeaker('en')(word)), word)
})
