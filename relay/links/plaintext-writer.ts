import { DATAGRAM_OVERHEAD, wrap32 } from './carrier/datagram.ts'
import {
  DATA_HEADER_BYTES, feedbackLength, FRAME, PARITY_HEADER_BYTES, writeAnswer, writeClassReport, writeDataHeader, writeFeedback, writeParity,
  writeProbe, writeRequest, writeTail,
} from './carrier/frames.ts'
import { encodePathReport, MAX_PATH_REPORT_BYTES } from './measurement/path-report.ts'
import type { Millis } from '../wire/units.ts'
import type { AnswerFrame, ClassReport, FeedbackFrame, ParityFrame, ProbeFrame, RequestFrame } from './carrier/frames.ts'
import type { PathReport } from './measurement/path-report.ts'
import type { OutgoingPacket } from './sharing/packet-queue.ts'

/** Longer than any plaintext of ours: a report of all paths, or a probe of a jumbo frame. */
const MAX_PLAINTEXT_BYTES = 9000

/** What was sent last of a class. */
export interface Tail {
  readonly index: number
  readonly sequence: number
}

/**
 * Writes plaintexts: the time of sending, and frames. Each call gives the same memory again, so that a datagram costs
 * none; it is to be sealed before the next call.
 */
export class PlaintextWriter {
  readonly #scratch = Buffer.alloc(MAX_PLAINTEXT_BYTES)

  /** One packet of a class. */
  data(classId: number, { body, sequence }: OutgoingPacket, flags: number, now: Millis): Buffer {
    const plaintext = this.#begin(DATA_HEADER_BYTES + body.length, now)
    body.copy(plaintext, writeDataHeader(plaintext, 4, classId, flags, sequence, body.length))
    return plaintext
  }

  parity(frame: ParityFrame, now: Millis): Buffer {
    const plaintext = this.#begin(PARITY_HEADER_BYTES + frame.symbol.length, now)
    writeParity(plaintext, 4, frame)
    return plaintext
  }

  feedback(frame: FeedbackFrame, now: Millis): Buffer {
    const plaintext = this.#begin(feedbackLength(frame.arrivals.length), now)
    writeFeedback(plaintext, 4, frame)
    return plaintext
  }

  request(frame: RequestFrame, now: Millis): Buffer {
    const plaintext = this.#begin(11 + 6 * frame.ranges.length, now)
    writeRequest(plaintext, 4, frame)
    return plaintext
  }

  /**
   * A probe, which also says what was sent last, so that a lost end of a burst is noticed. One with a size is padded to
   * it, for MTU discovery.
   */
  probe(frame: ProbeFrame, tails: readonly Tail[], now: Millis): Buffer {
    const length = frame.size === 0 ? 15 + 6 * tails.length : frame.size - DATAGRAM_OVERHEAD
    const plaintext = this.#begin(length, now).fill(FRAME.padding, 4)
    let at = writeProbe(plaintext, 4, frame)
    for (const { index, sequence } of tails) at = writeTail(plaintext, at, index, sequence)
    return plaintext
  }

  answer(frame: AnswerFrame, now: Millis): Buffer {
    const plaintext = this.#begin(31, now)
    writeAnswer(plaintext, 4, frame)
    return plaintext
  }

  tail({ index, sequence }: Tail, now: Millis): Buffer {
    const plaintext = this.#begin(6, now)
    writeTail(plaintext, 4, index, sequence)
    return plaintext
  }

  /** What this end receives, by path and by class, and once more what came of messages. */
  reports(paths: readonly { readonly index: number; readonly report: PathReport }[], classes: readonly ClassReport[], requests: readonly RequestFrame[], now: Millis): Buffer {
    const plaintext = this.#begin(paths.length * (2 + MAX_PATH_REPORT_BYTES) + classes.length * 64 + requests.length * 11, now)
    let at = 4
    for (const { index, report } of paths) {
      plaintext[at] = FRAME.pathReport
      plaintext[at + 1] = index
      at = encodePathReport(plaintext, at + 2, report)
    }
    for (const each of classes) at = writeClassReport(plaintext, at, each)
    for (const each of requests) at = writeRequest(plaintext, at, each)
    return plaintext.subarray(0, at)
  }

  close(now: Millis): Buffer {
    const plaintext = this.#begin(1, now)
    plaintext[4] = FRAME.close
    return plaintext
  }

  /** Room for frames behind the time of sending. */
  #begin(length: number, now: Millis): Buffer {
    const plaintext = this.#scratch.subarray(0, 4 + length)
    plaintext.writeUInt32BE(wrap32(now * 1000), 0)
    return plaintext
  }
}
