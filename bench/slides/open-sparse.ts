#!/usr/bin/env node
/** `node bench/slides/open-sparse.ts [--count 10]`: how long a sparse DICOM level of 100,000×80,000 pixels takes to open, and how much memory. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DicomItems } from '../../relay/slides/dicomweb/dicom-encoding.ts'
import { openDicomSlide } from '../../relay/slides/formats/dicom-slide.ts'
import { dicomFile } from './dicom-file.ts'
import type { DicomDataSet } from '../../relay/slides/dicomweb/dicom-encoding.ts'

const [WIDTH, HEIGHT, TILE] = [100_000, 80_000, 256]

/** What scanners write of a frame. */
function* frameGroups(): Generator<DicomDataSet> {
  for (let row = 0; row < HEIGHT / TILE; row++) {
    for (let column = 0; column < WIDTH / TILE; column++) {
      yield {
        FrameContentSequence: DicomItems.of({ AcquisitionDateTime: '20240531120000.000000', DimensionIndexValues: [row + 1, column + 1] }),
        PlanePositionSlideSequence: DicomItems.of({
          XOffsetInSlideCoordinateSystem: 0.000_25 * column * TILE, YOffsetInSlideCoordinateSystem: 0.000_25 * row * TILE, ZOffsetInSlideCoordinateSystem: 0,
          ColumnPositionInTotalImagePixelMatrix: 1 + column * TILE, RowPositionInTotalImagePixelMatrix: 1 + row * TILE,
        }),
        OpticalPathIdentificationSequence: DicomItems.of({ OpticalPathIdentifier: '1' }),
      }
    }
  }
}

const { values } = parseArgs({ options: { count: { type: 'string', default: '10' }, file: { type: 'string' } } })
if (values.file === undefined) {
  // In a process of its own: what making the file leaves in memory is none of opening it.
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-sparse-'))
  try {
    const frames = new Array<Buffer>(Math.ceil(WIDTH / TILE) * Math.ceil(HEIGHT / TILE)).fill(Buffer.alloc(64))
    const groups = new DicomItems(frameGroups)
    const dataSet: DicomDataSet = { DimensionOrganizationType: 'TILED_SPARSE', Rows: TILE, Columns: TILE, TotalPixelMatrixColumns: WIDTH, TotalPixelMatrixRows: HEIGHT, PerFrameFunctionalGroupsSequence: groups }
    await writeFile(join(directory, 'level.dcm'), dicomFile({ frames, table: 'extended', dataSet }))
    const { execFileSync } = await import('node:child_process')
    process.stdout.write(execFileSync(process.execPath, [import.meta.filename, '--count', values.count, '--file', directory]))
  } finally {
    await rm(directory, { recursive: true })
  }
} else {
  const times: number[] = []
  const before = process.memoryUsage().rss
  let mostBytes = before
  for (let count = Number(values.count); count > 0; count--) {
    const started = performance.now()
    await using slide = await openDicomSlide(values.file)
    times.push(performance.now() - started)
    mostBytes = Math.max(mostBytes, process.memoryUsage().rss)
    if (times.length === 1) await slide.readTile(0, 1, 1)
  }
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0)
  console.log(`opened ${times.length} times: first ${times[0]?.toFixed(0)} ms, median ${at(0.5)} ms, slowest ${at(1)} ms; most memory +${((mostBytes - before) / 1e6).toFixed(0)} MB, peak ${(process.resourceUsage().maxRSS / 1e3).toFixed(0)} MB against ${(before / 1e6).toFixed(0)} MB at start`)
}
