import { tagPlace } from '../formats/tiff-tags.ts'

const LAST_TAG = 65_535
const UNKNOWN = 'unknown tag '

/** Fields that Aperio's scanners and ImageScope write into `ImageDescription`. */
const APERIO_KEYS = [
  'AppMag', 'Barcode', 'CalibrationAverageBlue', 'CalibrationAverageGreen', 'CalibrationAverageRed', 'Clip', 'Copyright', 'Date', 'Description', 'DisplayColor', 'DocumentID', 'DSR ID', 'Exposure Scale', 'Exposure Time',
  'ExposureScale', 'ExposureTime', 'Filename', 'Filtered', 'Focus Offset', 'Gamma', 'ICC Profile', 'ImageID', 'Left', 'LineAreaXOffset', 'LineAreaYOffset', 'LineCameraSkew', 'MPP',
  'Offset', 'OriginalHeight', 'Originalheight', 'OriginalWidth', 'Parmset', 'Patient', 'PatientID', 'Patient ID', 'Patient Name', 'Physical Size', 'Points', 'Q', 'Rack', 'Rotate', 'ScanScope ID',
  'ScannerType', 'SerialNumber', 'SessionMode', 'SessonMode', 'Slide', 'Software', 'StripeWidth', 'Time', 'Time Zone', 'Title', 'Top', 'User', 'User ID', 'heading', 'other field', 'OME-XML',
] as const

/** Elements and attributes of OME-XML that may say who, when, with what and why. @see OME data model, 2016-06 */
const OME_NAMES = [
  'AcquisitionDate', 'Annotation', 'AnnotationRef', 'BinaryFile', 'BooleanAnnotation', 'Channel', 'CommentAnnotation', 'Creator', 'Dataset', 'DatasetRef', 'Description', 'Detector', 'Dichroic', 'DoubleAnnotation',
  'Email', 'Experiment', 'Experimenter', 'ExperimenterGroup', 'ExperimenterGroupRef', 'ExperimenterRef', 'FileAnnotation', 'FileName', 'Filter', 'FilterSet', 'FirstName', 'Folder', 'FolderRef',
  'ID', 'Image', 'ImageRef', 'ImagingEnvironment', 'Institution', 'Instrument', 'InstrumentRef', 'Label', 'LastName', 'Leader', 'LightSource', 'ListAnnotation', 'LongAnnotation', 'LotNumber', 'MapAnnotation',
  'Manufacturer', 'MicrobeamManipulation', 'Microscope', 'MiddleName', 'Model', 'Name', 'Namespace', 'Objective', 'ObjectiveSettings', 'Pixels', 'Plane', 'Plate', 'PlateAcquisition', 'Project', 'ProjectRef', 'ROI', 'ROIRef', 'Reagent',
  'Rights', 'RightsHeld', 'RightsHolder', 'Screen', 'SerialNumber', 'Shape', 'StageLabel', 'StructuredAnnotations', 'TagAnnotation', 'TermAnnotation', 'Text', 'TiffData', 'TimestampAnnotation', 'UUID', 'UserName', 'Value', 'Well', 'WellSample', 'XMLAnnotation',
] as const

/** What a field can be a field of, and its names. */
const FIELDS: ReadonlyMap<string, ReadonlySet<string>> = new Map<string, ReadonlySet<string>>([
  ['ImageDescription', new Set<string>([...APERIO_KEYS, ...OME_NAMES])],
  ['OME-XML', new Set<string>(OME_NAMES)],
  ['JPEGTables', new Set(['other segment'])],
])

const TAG_NAMES: ReadonlySet<string> = new Set(Array.from({ length: LAST_TAG + 1 }, (_, tag) => tagPlace(tag)).filter(name => !name.startsWith(UNKNOWN)))

/** Names that readers use besides names of tags. */
const OTHERS: ReadonlySet<string> = new Set([...FIELDS.keys(), 'file name', 'ICC profile', 'unknown field', 'unknown tag', 'vendor properties'])

/**
 * The name of a place as it may leave: a name that a format defines stays, any other, which may be a patient's, becomes
 * `unknown field` or `unknown field of ImageDescription`.
 */
export function placeName(name: string): string {
  if (OTHERS.has(name) || TAG_NAMES.has(name)) return name
  const tag = /^unknown tag (\d{1,5})$/.exec(name)?.[1]
  if (tag !== undefined) return Number(tag) <= LAST_TAG ? `${UNKNOWN}${String(Number(tag))}` : 'unknown tag'
  for (const [parent, fields] of FIELDS) {
    if (name === `unknown field of ${parent}`) return name
    if (name.startsWith(`${parent}: `)) return fields.has(name.slice(parent.length + 2)) ? name : `unknown field of ${parent}`
  }
  return 'unknown field'
}
