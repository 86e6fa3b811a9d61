import { t } from 'tap'
import { ANNOTATION_LIMITS, SlideAnnotations } from './slide-annotations.ts'

const id = '5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11'
const feature = (geometry: unknown, properties: unknown = {}, of: unknown = id) => ({ type: 'Feature', id: of, geometry, properties })
const collection = (...features: unknown[]) => ({ type: 'FeatureCollection', features })
const point = { type: 'Point', coordinates: [1.5, -2] }
const ring = [[0, 0], [4, 0], [4, 4], [0, 0]]

t.test('takes every geometry that lies flat on a slide', async t => {
  const geometries = [
    point, { type: 'MultiPoint', coordinates: [[0, 0]] }, { type: 'LineString', coordinates: [[0, 0], [1, 1]] }, { type: 'MultiLineString', coordinates: [[[0, 0], [1, 1]]] },
    { type: 'Polygon', coordinates: [ring] }, { type: 'MultiPolygon', coordinates: [[ring]] },
  ]
  for (const geometry of geometries) t.ok(SlideAnnotations.safeParse(collection(feature(geometry, { note: 'a', size: 3, isShown: true, by: null }))).success, geometry.type)
  t.ok(SlideAnnotations.safeParse(collection()).success)
})

t.test('refuses what is none, what is not flat, and what is too much', async t => {
  const table: readonly (readonly [string, unknown])[] = [
    ['a bare feature', feature(point)],
    ['no geometry', collection(feature(null))],
    ['an unknown geometry', collection(feature({ type: 'Circle', coordinates: [0, 0] }))],
    ['a geometry collection', collection(feature({ type: 'GeometryCollection', geometries: [point] }))],
    ['three coordinates', collection(feature({ type: 'Point', coordinates: [0, 0, 0] }))],
    ['text for a number', collection(feature({ type: 'Point', coordinates: ['0', 0] }))],
    ['a place off every slide', collection(feature({ type: 'Point', coordinates: [1e12, 0] }))],
    ['a line of one point', collection(feature({ type: 'LineString', coordinates: [[0, 0]] }))],
    ['an open ring', collection(feature({ type: 'Polygon', coordinates: [[[0, 0], [4, 0], [4, 4], [0, 4]]] }))],
    ['no id', collection({ ...feature(point), id: undefined })],
    ['an id that is no UUID', collection(feature(point, {}, 'x'))],
    ['one id twice', collection(feature(point), feature(point))],
    ['nested properties', collection(feature(point, { a: { b: 1 } }))],
    ['an odd name of a property', collection(feature(point, { '<b>': 1 }))],
    ['too long a text', collection(feature(point, { note: 'x'.repeat(ANNOTATION_LIMITS.textCharacters + 1) }))],
    ['too many properties', collection(feature(point, Object.fromEntries(Array.from({ length: ANNOTATION_LIMITS.properties + 1 }, (_, index) => [`p${index}`, 1]))))],
    ['another member', { ...collection(), crs: {} }],
  ]
  for (const [what, value] of table) t.notOk(SlideAnnotations.safeParse(value).success, what)
})
