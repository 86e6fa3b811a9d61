/** Tags that the readers look at, by name. @see TIFF 6.0; TIFF Technical Notes 1 and 2; BigTIFF */
export const TAG = {
  newSubfileType: 254,
  imageWidth: 256,
  imageLength: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  imageDescription: 270,
  orientation: 274,
  samplesPerPixel: 277,
  xResolution: 282,
  yResolution: 283,
  planarConfiguration: 284,
  resolutionUnit: 296,
  software: 305,
  predictor: 317,
  tileWidth: 322,
  tileLength: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  sampleFormat: 339,
  jpegTables: 347,
  yCbCrCoefficients: 529,
  yCbCrSubSampling: 530,
  yCbCrPositioning: 531,
  referenceBlackWhite: 532,
  xmp: 700,
  /** Hamamatsu marks every NDPI directory with it. */
  ndpiFormat: 65420,
} as const

/** What must be known to show the picture, or says only how it is stored. */
export const STRUCTURAL_TAGS: ReadonlySet<number> = new Set(
  Object.values(TAG).filter(tag => ![TAG.imageDescription, TAG.software, TAG.xmp, TAG.ndpiFormat].some(other => other === tag)),
)

/** Names of other tags, as their specifications give them. A number that is not here is an unknown tag. */
const TAG_NAMES: ReadonlyMap<number, string> = new Map([
  [255, 'SubfileType'], [263, 'Threshholding'], [264, 'CellWidth'], [265, 'CellLength'], [266, 'FillOrder'], [269, 'DocumentName'],
  [270, 'ImageDescription'], [271, 'Make'], [272, 'Model'], [273, 'StripOffsets'], [278, 'RowsPerStrip'], [279, 'StripByteCounts'],
  [280, 'MinSampleValue'], [281, 'MaxSampleValue'], [285, 'PageName'], [286, 'XPosition'], [287, 'YPosition'], [288, 'FreeOffsets'],
  [289, 'FreeByteCounts'], [290, 'GrayResponseUnit'], [291, 'GrayResponseCurve'], [297, 'PageNumber'], [301, 'TransferFunction'],
  [305, 'Software'], [306, 'DateTime'], [315, 'Artist'], [316, 'HostComputer'], [318, 'WhitePoint'], [319, 'PrimaryChromaticities'],
  [320, 'ColorMap'], [321, 'HalftoneHints'], [332, 'InkSet'], [333, 'InkNames'], [337, 'TargetPrinter'], [338, 'ExtraSamples'],
  [340, 'SMinSampleValue'], [341, 'SMaxSampleValue'], [700, 'XMP'], [32781, 'ImageID'], [32995, 'Matteing'], [32996, 'DataType'],
  [32997, 'ImageDepth'], [32998, 'TileDepth'], [33432, 'Copyright'], [33723, 'IPTC'], [34377, 'Photoshop'], [34665, 'Exif IFD'],
  [34675, 'ICC profile'], [34853, 'GPS IFD'], [36864, 'ExifVersion'], [37500, 'MakerNote'], [37510, 'UserComment'], [40965, 'Interoperability IFD'],
  [42016, 'ImageUniqueID'], [65420, 'NDPI format'], [65427, 'NDPI Reference'], [65442, 'NDPI serial number'], [65449, 'NDPI metadata'],
])

/** Name of a tag's place, safe to show: `Software`, `unknown tag 65000`. */
export const tagPlace = (tag: number): string => TAG_NAMES.get(tag) ?? `unknown tag ${tag}`

/** Bytes of one value by the number of its type. @see TIFF 6.0 section 2; BigTIFF (16 to 18) */
export const TYPE_BYTES: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]

/** Compressions that can be handed on. 33003 and 33005 are Aperio's JPEG 2000 with and without YCbCr. */
export const COMPRESSION = { jpeg: 7, aperioYcbcr: 33003, aperioRgb: 33005, jpeg2000: 34712 } as const
