import { RelayFault } from '../relay/wire/fault.ts'
import { Consultation } from './consultation.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { ConsultationId, MemberId } from '../relay/wire/ids.ts'
import type { Role } from '../relay/wire/signaling.ts'
import type { MemberColour } from '../relay/wire/slide-sharing.ts'
import type { ConsultationHost, Notify } from './consultation.ts'
import type { Session } from './session.ts'
import type { Seat } from './signaling/connection.ts'

/** How much a node takes on. */
export interface RegistryLimits {
  readonly maxConsultations: number
  readonly maxViewersPerConsultation: number
}

/** The consultations of one node. One exists while somebody is in it. */
export class ConsultationRegistry {
  readonly #consultations = new Map<ConsultationId, Consultation>()
  readonly #host: ConsultationHost
  readonly #limits: RegistryLimits
  readonly #log: Logger
  #isCoreReachable = true

  constructor(host: ConsultationHost, limits: RegistryLimits, log: Logger) {
    this.#host = host
    this.#limits = limits
    this.#log = log
  }

  /** Consultations that exist now. */
  all(): Iterable<Consultation> {
    return this.#consultations.values()
  }

  /** How many there are. */
  get size(): number {
    return this.#consultations.size
  }

  /** Members present, by role. */
  countSessions(): Record<Role, number> {
    const count = { microscope: 0, viewer: 0, technician: 0, scanner: 0 }
    for (const { viewers, scanners, microscope } of this.all()) {
      for (const { role } of viewers) count[role]++
      count.scanner += scanners.size
      count.microscope += microscope === undefined ? 0 : 1
    }
    return count
  }

  /** The colour by which the others know a viewer, of its latest session; undefined while it is not present. */
  colourOf(consultationId: ConsultationId, memberId: MemberId): MemberColour | undefined {
    return [...(this.#consultations.get(consultationId)?.viewers ?? [])].findLast(viewer => viewer.memberId === memberId)?.colour
  }

  /** Microscopes that publish now. */
  countPublications(): number {
    return [...this.all()].filter(({ published }) => published !== undefined).length
  }

  /**
   * Gives the holder of an admission a place in its consultation.
   *
   * @throws {RelayFault} `overloaded` when node or consultation is full; `conflict` for a second microscope; `unavailable` for a scanner where there are no slides; `invitation_expired`.
   */
  admit(admission: Admission, notify: Notify): Seat {
    const consultation = this.open(admission)
    try {
      const session = consultation.admit(admission, notify)
      if (!this.#isCoreReachable) this.#tellAccess(session)
      return { session, consultationId: consultation.id, publication: consultation.publication }
    } finally {
      // Refused, it leaves none behind.
      consultation.closeIfEmpty()
    }
  }

  /** A consultation that exists. */
  find(id: ConsultationId): Consultation | undefined {
    return this.#consultations.get(id)
  }

  /**
   * The consultation that an admission is for. Whoever opens it has to enter it.
   *
   * @throws {RelayFault} `overloaded` when the node is full; `invitation_expired`.
   */
  open({ consultationId, expired }: Admission): Consultation {
    expired.throwIfAborted()
    const existing = this.#consultations.get(consultationId)
    if (existing === undefined && this.#consultations.size >= this.#limits.maxConsultations) {
      throw new RelayFault('overloaded', 'this node carries as many consultations as it may')
    }
    return existing ?? this.#create(consultationId)
  }

  /** Tells every member whether the platform's core can be heard, and until when what the member was granted holds; whoever comes while it cannot hears so as well. */
  coreChanged(isCoreReachable: boolean): void {
    this.#isCoreReachable = isCoreReachable
    for (const { viewers, scanners, microscope } of this.all()) {
      for (const session of [...viewers, ...scanners, ...(microscope === undefined ? [] : [microscope])]) {
        this.#tellAccess(session)
      }
    }
  }

  #tellAccess({ notify, validUntilMillis }: Session): void {
    notify({ type: 'accessChanged', isCoreReachable: this.#isCoreReachable, validUntilMillis })
  }

  /** Ends everything. */
  close(reason: RelayFault): void {
    for (const consultation of this.#consultations.values()) consultation.close(reason)
  }

  #create(id: ConsultationId): Consultation {
    const { maxViewersPerConsultation: maxViewers } = this.#limits
    const consultation = new Consultation(id, this.#host, { maxViewers }, this.#log, () => this.#consultations.delete(id))
    this.#consultations.set(id, consultation)
    return consultation
  }
}
