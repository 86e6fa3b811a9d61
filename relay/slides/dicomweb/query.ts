import { RelayFault } from '../../wire/fault.ts'
import { ATTRIBUTES, keywordOf } from '../formats/dicom-dictionary.ts'
import type { Keyword } from '../formats/dicom-dictionary.ts'
import type { DicomDataSet } from './dicom-encoding.ts'

/** What a search is for. @see PS3.18 section 10.6.1.1 */
export type SearchLevel = 'studies' | 'series' | 'instances'

const STUDY_KEYS: readonly Keyword[] = ['StudyDate', 'StudyTime', 'AccessionNumber', 'ModalitiesInStudy', 'ReferringPhysicianName', 'PatientName', 'PatientID', 'StudyInstanceUID', 'StudyID']
const SERIES_KEYS: readonly Keyword[] = [...STUDY_KEYS, 'Modality', 'SeriesInstanceUID', 'SeriesNumber']
const KEYS: Readonly<Record<SearchLevel, readonly Keyword[]>> = {
  studies: STUDY_KEYS,
  series: SERIES_KEYS,
  instances: [...SERIES_KEYS, 'SOPClassUID', 'SOPInstanceUID', 'InstanceNumber'],
}

/** Results of one answer at most. */
export const MAX_RESULTS = 1000
const MAX_VALUE_CHARACTERS = 1024

/** A parsed search. */
export interface DicomQuery {
  readonly offset: number
  readonly limit: number
  /** Whether names were to be matched fuzzily, which nothing here does. */
  readonly isFuzzyWanted: boolean
  matches(dataSet: DicomDataSet): boolean
}

/**
 * Parses the query of a search.
 *
 * @throws {RelayFault} `bad_message` for an attribute that is not searched by, or a value that cannot be: status 400.
 * @see PS3.18 sections 8.3.4 and 10.6.1.2; PS3.4 section C.2.2.2
 */
export function parseQuery(parameters: URLSearchParams, level: SearchLevel): DicomQuery {
  const tests: ((dataSet: DicomDataSet) => boolean)[] = []
  const count = (name: string, absent: number): number => {
    const text = parameters.get(name)
    if (text === null) return absent
    if (!/^\d{1,9}$/.test(text)) throw new RelayFault('bad_message', 'limit and offset are whole numbers')
    return Number(text)
  }
  for (const [name, value] of parameters) {
    if (['limit', 'offset', 'includefield', 'fuzzymatching', 'emptyvaluematching', 'multiplevaluematching'].includes(name)) continue
    const keyword = keywordNamed(name)
    if (keyword === undefined || !KEYS[level].includes(keyword)) throw new RelayFault('bad_message', 'an attribute that is not searched by')
    if (value.length > MAX_VALUE_CHARACTERS) throw new RelayFault('bad_message', 'a value is too long')
    const isMatch = matcher(keyword, value)
    tests.push(dataSet => isMatch(textOf(dataSet, keyword)))
  }
  return {
    offset: count('offset', 0),
    limit: Math.min(MAX_RESULTS, count('limit', MAX_RESULTS)),
    isFuzzyWanted: parameters.get('fuzzymatching') === 'true',
    matches: dataSet => tests.every(test => test(dataSet)),
  }
}

/** Attributes are named by keyword or by eight hexadecimal digits. */
function keywordNamed(name: string): Keyword | undefined {
  if (/^[0-9A-Fa-f]{8}$/.test(name)) return keywordOf(Number.parseInt(name, 16))
  return Object.hasOwn(ATTRIBUTES, name) ? (name as Keyword) : undefined
}

function textOf(dataSet: DicomDataSet, keyword: Keyword): string {
  const value = dataSet[keyword]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

function matcher(keyword: Keyword, value: string): (text: string) => boolean {
  const vr = ATTRIBUTES[keyword][1]
  // Universal matching. @see PS3.4 section C.2.2.2.3
  if (value === '' || value === '*') return () => true
  if (vr === 'UI') {
    const uids = new Set(value.split(/[,\\]/))
    return text => uids.has(text)
  }
  if ((vr === 'DA' || vr === 'TM') && value.includes('-')) {
    const [from = '', to = ''] = value.split('-', 2)
    // A time that is less precise stands for all it begins.
    return text => text !== '' && text >= from && (to === '' || text.slice(0, to.length) <= to)
  }
  if (vr === 'DA' || vr === 'TM' || vr === 'IS' || !/[*?]/.test(value)) return vr === 'PN' ? text => text.toLowerCase() === value.toLowerCase() : text => text === value
  return text => isWildcardMatch(text, value, vr === 'PN')
}

/** `*` is any text, `?` any character; in time proportional to the product of both lengths. @see PS3.4 section C.2.2.2.4 */
export function isWildcardMatch(text: string, pattern: string, isCaseIgnored: boolean): boolean {
  if (isCaseIgnored) return isWildcardMatch(text.toLowerCase(), pattern.toLowerCase(), false)
  let [at, place, star, resume] = [0, 0, -1, 0]
  while (at < text.length) {
    if (pattern[place] === '*') {
      star = place++
      resume = at
    } else if (pattern[place] === '?' || pattern[place] === text[at]) {
      place++
      at++
    } else if (star >= 0) {
      place = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[place] === '*') place++
  return place === pattern.length
}
