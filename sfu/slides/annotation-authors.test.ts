import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { bindAuthors } from './annotation-authors.ts'
import type { MemberId } from '../../relay/wire/ids.ts'
import type { Annotation, SlideAnnotations } from '../../relay/wire/slide-annotations.ts'

const feature = (properties: Annotation['properties'], id: string = randomUUID()): Annotation => ({ type: 'Feature', id, geometry: { type: 'Point', coordinates: [1, 2] }, properties })
const collection = (...features: Annotation[]): SlideAnnotations => ({ type: 'FeatureCollection', features })
const alice = { memberId: 'alice' as MemberId, colour: 2 }
const propertiesOf = ({ features }: SlideAnnotations): Annotation['properties'][] => features.map(({ properties }) => properties)

t.test('nobody writes as another, or in another\'s colour', async t => {
  const bound = bindAuthors(collection(), collection(feature({ author: 'bob', colour: 5, text: 'mitosis' }), feature({})), alice)
  t.same(propertiesOf(bound), [{ author: 'alice', colour: 2, text: 'mitosis' }, { author: 'alice', colour: 2 }])
})

t.test('what others stored stays as it is, and theirs', async t => {
  const theirs = feature({ author: 'bob', colour: 5 })
  const before = collection(theirs)
  const mine = feature({ text: 'mine' })
  t.same(bindAuthors(before, collection(theirs, mine), alice).features[0], theirs)
  t.throws(() => bindAuthors(before, collection(mine), alice), { code: 'grant_refused' }, 'left out')
  t.throws(() => bindAuthors(before, collection({ ...theirs, geometry: { type: 'Point', coordinates: [9, 9] } }), alice), { code: 'grant_refused' }, 'moved')
  t.throws(() => bindAuthors(before, collection(feature({ author: 'alice', colour: 2 }, theirs.id)), alice), { code: 'grant_refused' }, 'taken over')
})

t.test('one\'s own can be changed and taken back, and so can what names no author', async t => {
  const [own, nobodys] = [feature({ author: 'alice', colour: 2, text: 'old' }), feature({ note: 'imported' })]
  const changed = { ...own, properties: { ...own.properties, text: 'new' } }
  t.same(propertiesOf(bindAuthors(collection(own, nobodys), collection(changed), alice)), [{ author: 'alice', colour: 2, text: 'new' }])
})

t.test('without a session there is the colour of before, or none', async t => {
  const away = { ...alice, colour: undefined }
  t.same(propertiesOf(bindAuthors(collection(), collection(feature({ colour: 7 })), away)), [{ author: 'alice' }])
  const own = feature({ author: 'alice', colour: 2 })
  t.same(propertiesOf(bindAuthors(collection(own), collection(own, feature({ colour: 7 })), away))[1], { author: 'alice', colour: 2 })
})
