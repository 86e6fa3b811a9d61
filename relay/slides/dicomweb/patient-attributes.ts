import { DicomBytes, DICOM_LIMITS } from '../formats/dicom-data-set.ts'
import { keywordOf } from '../formats/dicom-dictionary.ts'
import type { DataElement, ElementRange } from '../formats/dicom-data-set.ts'
import type { Keyword } from '../formats/dicom-dictionary.ts'
import type { DicomHeader } from '../formats/dicom-header.ts'

/** A run of bytes of a file that says who somebody is. */
export interface IdentifyingValue {
  /** Offset in the file, in bytes. */
  readonly at: number
  /** In bytes. */
  readonly length: number
  /** What stands for nothing in its value representation. */
  readonly blank: ' ' | '\0'
}

const TEXT_VRS: ReadonlySet<string> = new Set(['AE', 'AS', 'CS', 'DA', 'DS', 'DT', 'IS', 'LO', 'LT', 'PN', 'SH', 'ST', 'TM', 'UC', 'UR', 'UT'])
/** Groups of which all text goes: patient, requests, visits, private ones. */
const IDENTIFYING_GROUPS: ReadonlySet<number> = new Set([0x0010, 0x0032, 0x0038])
const KEPT: ReadonlySet<Keyword> = new Set<Keyword>(['PatientIdentityRemoved', 'DeidentificationMethod'])
const IDENTIFYING: ReadonlySet<Keyword> = new Set<Keyword>([
  'SourceApplicationEntityTitle', 'AccessionNumber', 'InstitutionName', 'InstitutionAddress', 'InstitutionalDepartmentName', 'ReferringPhysicianAddress', 'ReferringPhysicianTelephoneNumbers',
  'StationName', 'StudyDescription', 'SeriesDescription', 'AdmittingDiagnosesDescription', 'DerivationDescription', 'IdentifyingComments', 'DeviceSerialNumber', 'SecondaryCaptureDeviceID', 'ProtocolName',
  'StudyID', 'ImageComments', 'ScheduledProcedureStepDescription', 'PerformedStationAETitle', 'PerformedStationName', 'PerformedLocation', 'PerformedProcedureStepID', 'PerformedProcedureStepDescription',
  'CommentsOnThePerformedProcedureStep', 'ContainerIdentifier', 'ContainerDescription', 'SpecimenIdentifier', 'SpecimenShortDescription', 'SpecimenDetailedDescription', 'BarcodeValue', 'LabelText',
  'RequestedProcedureID', 'ReasonForTheRequestedProcedure', 'PersonAddress', 'PersonTelephoneNumbers', 'FillerOrderNumberImagingServiceRequest', 'PlacerOrderNumberImagingServiceRequest',
  'ImagingServiceRequestComments', 'VerifyingOrganization', 'TextValue', 'InterpretationText', 'PyramidLabel', 'PyramidDescription', 'OpticalPathDescription',
])

/**
 * Values in a header that may say who the patient, a physician or an institution is, sequences included: all names and
 * dates, groups 0010, 0032 and 0038, private groups, and what PS3.15 table E.1-1 names of the attributes a slide has.
 * The sender is to have removed them; this is so that none of them stays where a sender forgot.
 *
 * @throws {RelayFault} `bad_slide`.
 */
export function identifyingValues({ source, fileMeta, dataSet, offsetInFile }: DicomHeader): IdentifyingValue[] {
  return [...valuesOf(source, fileMeta), ...valuesOf(source, dataSet)].map(value => ({ ...value, at: offsetInFile(value.at) }))
}

/**
 * Overwrites the same in an item of the functional groups of frames, which are not part of a header.
 *
 * @param item - Where it stands in `bytes`, without its delimiter.
 * @returns Whether there was any.
 * @throws {RelayFault} `bad_slide`.
 */
export function blankItem(bytes: Buffer, item: ElementRange): boolean {
  const values = valuesOf(new DicomBytes(bytes, bytes.length), item, 1)
  for (const { at, length, blank } of values) bytes.fill(blank, at, at + length)
  return values.length > 0
}

function valuesOf(source: DicomBytes, dataSet: ElementRange, startDepth = 0): IdentifyingValue[] {
  const values: IdentifyingValue[] = []
  const visit = (range: ElementRange, depth: number, isPrivate: boolean): void => {
    for (const element of source.elements(range, depth)) {
      const { tag, vr, valueAt, length } = element
      const isHidden = isPrivate || (tag >>> 16) % 2 === 1
      if (vr === 'SQ' && depth < DICOM_LIMITS.depth) for (const item of source.items(element, depth)) visit(item, depth + 1, isHidden)
      else if (length > 0 && (isHidden || isIdentifying(element))) values.push({ at: valueAt, length, blank: TEXT_VRS.has(vr) ? ' ' : '\0' })
    }
  }
  visit(dataSet, startDepth, false)
  return values
}

function isIdentifying({ tag, vr }: DataElement): boolean {
  const keyword = keywordOf(tag)
  if (keyword !== undefined && KEPT.has(keyword)) return false
  if (vr === 'PN' || vr === 'DA' || vr === 'TM' || vr === 'DT') return true
  return (TEXT_VRS.has(vr) && IDENTIFYING_GROUPS.has(tag >>> 16)) || (keyword !== undefined && IDENTIFYING.has(keyword))
}
