/**
 * Lets through only frames that a decoder can use: after a break, nothing before the next keyframe.
 *
 * What a gate holds back must leave no hole in the RTP sequence numbers: the receiver then sees a
 * pause that ends with a keyframe, not a loss that it would ask to be repaired, and never a picture
 * built on a frame it does not have.
 */
export class KeyFrameGate {
  #isOpen = false

  /** The chain of predictions is broken: hold back all that follows up to a keyframe. */
  break(): void {
    this.#isOpen = false
  }

  /** Whether a complete frame may pass. */
  admits(isKeyFrame: boolean): boolean {
    if (isKeyFrame) this.#isOpen = true
    return this.#isOpen
  }
}
