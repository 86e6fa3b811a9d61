/** What the demo shows: stained tissue under a stage that moves and rests, seen by a camera with grain. */
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { renditionBitrate } from '../../clients/capture/encoder-arguments.ts'
import type { EncoderInput } from '../../clients/capture/ffmpeg-encoder.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'

/** The field that the stage moves over, and the image cut from it: 3 seconds that join without a seam. */
export const DEMO_SCENE = {
  width: 7680,
  height: 4320,
  columns: 6,
  rows: 6,
  middle: { columns: 3, rows: 3 },
  framesPerSecond: 30,
  seconds: 3,
  field: { width: 9216, height: 5184 },
  /** Luma noise of the camera, in code values. */
  grain: 2,
} as const

/** Frames after which the stage is back where it began. */
export const STAGE_CYCLE_FRAMES = DEMO_SCENE.framesPerSecond * DEMO_SCENE.seconds

/** The demo's renditions. */
export const demoPyramid = (overviewWidth: number, framesPerSecond: number = DEMO_SCENE.framesPerSecond): Pyramid =>
  // The rates stay those of the usual frame rate: a slower scene is one of more detail per frame, not of fewer bits.
  planPyramid({ ...DEMO_SCENE, overviewWidth, framesPerSecond, bitrateOf: rendition => renditionBitrate(rendition, DEMO_SCENE.framesPerSecond, {}) })

/**
 * The stage rests, glides to another place, rests, and glides back.
 *
 * @returns An expression for ffmpeg's crop filter: the share of the way, from 0 to 1, by frame `n`.
 */
function stageMotion(cycleFrames: number): string {
  const phase = `(mod(n,${cycleFrames})/${cycleFrames})`
  const glide = (from: number): string => `(0.5-0.5*cos(PI*(${phase}-${from})/0.35))`
  return `if(lt(${phase},0.15),0,if(lt(${phase},0.5),${glide(0.15)},if(lt(${phase},0.65),1,1-${glide(0.65)})))`
}

/**
 * The scene as ffmpeg makes it from a drawn field. Its noise begins with the same seed in every run,
 * so every frame can be made again.
 *
 * @param field - Path of the field, 8-bit RGB without a header.
 */
export function demoInput(field: string, framesPerSecond: number = DEMO_SCENE.framesPerSecond): EncoderInput {
  const { width, height, grain, field: size } = DEMO_SCENE
  const slack = { x: size.width - width, y: size.height - height }
  const motion = stageMotion(framesPerSecond * DEMO_SCENE.seconds)
  const still = `scale=out_color_matrix=bt709:out_range=tv:flags=bicubic,format=yuv420p,loop=loop=-1:size=1:start=0,setpts=N/${framesPerSecond}/TB`
  const crop = `crop=${width}:${height}:x='${slack.x}*(0.4+0.12*${motion})':y='${slack.y}*(0.4+0.08*${motion})'`
  return {
    open: () => ({
      source: field,
      options: ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', `${size.width}x${size.height}`, '-framerate', String(framesPerSecond)],
    }),
    filters: `${still},${crop},noise=c0s=${grain}:c0f=t`,
  }
}
