import { ATTRIBUTES, tagName, tagOf } from '../formats/dicom-dictionary.ts'
import type { Keyword } from '../formats/dicom-dictionary.ts'
import type { Removal } from '../../wire/slide.ts'

/**
 * What becomes of an attribute: D is given a dummy value, Z none or a dummy, X is removed, U is given another UID.
 *
 * @see PS3.15 section E.3.1
 */
export type ProfileAction = 'D' | 'Z' | 'X' | 'U'

/**
 * Actions of the Basic Application Level Confidentiality Profile. Where the standard leaves a choice to the type of an
 * attribute (X/Z/D and the like) it is made for VL Whole Slide Microscopy Image.
 *
 * @see PS3.15 table E.1-1; PS3.3 section A.32.8
 */
export const BASIC_PROFILE: Readonly<Partial<Record<Keyword, ProfileAction>>> = {
  AccessionNumber: 'Z', AcquisitionContextSequence: 'Z', AcquisitionDate: 'X', AcquisitionDateTime: 'D', AcquisitionTime: 'X',
  AdditionalPatientHistory: 'X', AdmissionID: 'X', AdmittingDiagnosesCodeSequence: 'X', AdmittingDiagnosesDescription: 'X', Allergies: 'X',
  AuthorObserverSequence: 'X', BarcodeValue: 'Z', BranchOfService: 'X', CommentsOnThePerformedProcedureStep: 'X', ConcatenationUID: 'U',
  ConsultingPhysicianName: 'Z', ContainerDescription: 'X', ContainerIdentifier: 'D', ContentCreatorName: 'Z', ContentDate: 'D', ContentTime: 'D',
  ContrastBolusAgent: 'Z', CountryOfResidence: 'X', CurrentPatientLocation: 'X', DateOfLastCalibration: 'X', DateOfSecondaryCapture: 'X',
  DerivationDescription: 'X', DeviceSerialNumber: 'D', DeviceUID: 'U', DigitalSignaturesSequence: 'X', DimensionOrganizationUID: 'U',
  EthnicGroup: 'X', FillerOrderNumberImagingServiceRequest: 'Z', FrameOfReferenceUID: 'U', IdentifyingComments: 'X', ImageComments: 'X',
  ImagingServiceRequestComments: 'X', InstanceCreationDate: 'X', InstanceCreationTime: 'X', InstanceCreatorUID: 'U', InstitutionAddress: 'X',
  InstitutionCodeSequence: 'X', InstitutionName: 'X', InstitutionalDepartmentName: 'X', InterpretationAuthor: 'X', InterpretationText: 'X',
  IssuerOfPatientID: 'X', IssuerOfTheContainerIdentifierSequence: 'Z', IssuerOfTheSpecimenIdentifierSequence: 'Z', LabelText: 'Z',
  LastMenstrualDate: 'X', MediaStorageSOPInstanceUID: 'U', MedicalAlerts: 'X', MedicalRecordLocator: 'X', MilitaryRank: 'X',
  NameOfPhysiciansReadingStudy: 'X', NamesOfIntendedRecipientsOfResults: 'X', Occupation: 'X', OperatorIdentificationSequence: 'X', OperatorsName: 'X',
  OriginalAttributesSequence: 'X', OtherPatientIDs: 'X', OtherPatientIDsSequence: 'X', OtherPatientNames: 'X', PatientAddress: 'X', PatientAge: 'X',
  PatientBirthDate: 'Z', PatientBirthName: 'X', PatientBirthTime: 'X', PatientComments: 'X', PatientID: 'D', PatientInstitutionResidence: 'X',
  PatientInsurancePlanCodeSequence: 'X', PatientMotherBirthName: 'X', PatientName: 'Z', PatientReligiousPreference: 'X', PatientSex: 'Z',
  PatientSize: 'X', PatientState: 'X', PatientTelecomInformation: 'X', PatientTelephoneNumbers: 'X', PatientTransportArrangements: 'X',
  PatientWeight: 'X', PerformedLocation: 'X', PerformedProcedureStepDescription: 'X', PerformedProcedureStepID: 'X',
  PerformedProcedureStepStartDate: 'X', PerformedProcedureStepStartTime: 'X', PerformedStationAETitle: 'X', PerformedStationName: 'X',
  PerformingPhysicianIdentificationSequence: 'X', PerformingPhysicianName: 'X', PersonAddress: 'X', PersonIdentificationCodeSequence: 'D',
  PersonName: 'D', PersonTelephoneNumbers: 'X', PhysiciansOfRecord: 'X', PhysiciansOfRecordIdentificationSequence: 'X',
  PhysiciansReadingStudyIdentificationSequence: 'X', PlacerOrderNumberImagingServiceRequest: 'Z', PregnancyStatus: 'X', ProtocolName: 'X',
  PyramidDescription: 'X', PyramidLabel: 'X', PyramidUID: 'U', ReasonForTheRequestedProcedure: 'X', ReferencedPatientSequence: 'X',
  ReferencedPerformedProcedureStepSequence: 'X', ReferencedSOPInstanceUID: 'U', ReferencedStudySequence: 'X', ReferringPhysicianAddress: 'X',
  ReferringPhysicianIdentificationSequence: 'X', ReferringPhysicianName: 'Z', ReferringPhysicianTelephoneNumbers: 'X', RegionOfResidence: 'X',
  RequestAttributesSequence: 'X', RequestedContrastAgent: 'X', RequestedProcedureDescription: 'X', RequestedProcedureID: 'X', RequestingPhysician: 'X',
  RequestingService: 'X', ResponsibleOrganization: 'X', ResponsiblePerson: 'X', SOPInstanceUID: 'U', ScheduledPerformingPhysicianName: 'X',
  ScheduledProcedureStepDescription: 'X', SeriesDate: 'X', SeriesDescription: 'X', SeriesInstanceUID: 'U', SeriesTime: 'X', ServiceEpisodeID: 'X',
  SmokingStatus: 'X', SourceImageSequence: 'X', SpecialNeeds: 'X', SpecimenDetailedDescription: 'X', SpecimenIdentifier: 'D',
  SpecimenPreparationSequence: 'Z', SpecimenShortDescription: 'X', SpecimenUID: 'U', StationName: 'X', StudyComments: 'X', StudyDate: 'Z',
  StudyDescription: 'X', StudyID: 'Z', StudyInstanceUID: 'U', StudyTime: 'Z', TimeOfLastCalibration: 'X', TimeOfSecondaryCapture: 'X',
  TimezoneOffsetFromUTC: 'X', VerifyingObserverName: 'D', VerifyingOrganization: 'D', VisitComments: 'X',
}

/**
 * How an attribute is listed. Standard attributes that the profile does not name are left out as well, and private ones
 * lose even their number.
 *
 * @param place - As a reader gives it: `(0010,0010) PatientName`, or `unknown tag (0009,1001)`.
 * @returns `undefined` for what is no attribute.
 */
export function dicomRemoval(place: string): Omit<Removal, 'count'> | undefined {
  const [, group, keyword] = /^(?:unknown tag )?\(([0-9A-Fa-f]{4}),[0-9A-Fa-f]{4}\)(?: ([A-Za-z]{1,64}))?$/.exec(place) ?? []
  if (group === undefined) return undefined
  if (keyword !== undefined && isKeyword(keyword)) return { place: tagName(tagOf(keyword)), action: isReplaced(BASIC_PROFILE[keyword]) ? 'replaced' : 'removed' }
  return { place: Number.parseInt(group, 16) % 2 === 1 ? 'private attribute' : 'unknown attribute', action: 'removed' }
}

const isKeyword = (name: string): name is Keyword => Object.hasOwn(ATTRIBUTES, name)

const isReplaced = (action: ProfileAction | undefined): boolean => action !== undefined && action !== 'X'
