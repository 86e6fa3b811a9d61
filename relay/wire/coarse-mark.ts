/**
 * The lowest bit of an RTP timestamp says of an image whether it is sharp, where a pyramid `marksCoarse`: a
 * virtual microscope shows what it has not decoded yet from a coarser level, and a message beside the media
 * could come after the frame that it speaks of. Eleven microseconds of the sampling instant are given for it.
 */
import type { Pyramid } from './pyramid.ts'
import type { RtpTimestamp } from './units.ts'

/**
 * Replaces the lowest bit of a time on an RTP clock.
 *
 * @param ticks - A whole number, not negative.
 * @param isCoarse - Somewhere the image has less detail than its renditions have room for.
 */
export const markCoarse = (ticks: number, isCoarse: boolean): number => ticks - (ticks % 2) + (isCoarse ? 1 : 0)

/** Whether an image is marked as coarse; false where nothing is marked. */
export const isMarkedCoarse = ({ marksCoarse }: Pick<Pyramid, 'marksCoarse'>, timestamp: RtpTimestamp): boolean => marksCoarse === true && (timestamp & 1) === 1
