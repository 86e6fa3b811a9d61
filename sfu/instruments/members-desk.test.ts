import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { MemberId, SessionId } from '../../relay/wire/ids.ts'
import { MAX_MEMBERS_TOLD, MembersChanged } from '../../relay/wire/signaling.ts'
import { MembersDesk } from './members-desk.ts'
import type { Notification, Role } from '../../relay/wire/signaling.ts'
import type { DeskMember } from './members-desk.ts'

/** A member that keeps what it hears, as names. */
class Member implements DeskMember {
  readonly sessionId = SessionId.parse(randomUUID())
  readonly memberId: MemberId
  readonly role: Role
  readonly protocol = 'signaling'
  readonly colour = null
  readonly heard: string[] = []
  #wake: () => void = () => undefined

  constructor(name: string, role: Role) {
    this.memberId = MemberId.parse(name)
    this.role = role
  }

  notify(notification: Notification): void {
    const { members } = MembersChanged.parse(notification)
    this.heard.push(members.map(({ memberId }) => memberId).join())
    this.#wake()
  }

  /** Settles when it heard that; the test's own deadline bounds the wait. */
  async until(names: string): Promise<void> {
    while (this.heard.at(-1) !== names) await new Promise<void>(resolve => (this.#wake = resolve))
  }
}

t.test('tells who is there to whoever watches, and changes in quick succession once', async t => {
  using desk = new MembersDesk()
  const viewer = new Member('reader', 'viewer')
  desk.joined(viewer)
  t.same(viewer.heard, ['reader'], 'at once')
  const microscope = new Member('scope', 'microscope')
  const technician = new Member('hands', 'technician')
  desk.joined(microscope)
  desk.joined(technician)
  t.same(technician.heard, ['reader,scope,hands'])
  await viewer.until('reader,scope,hands')
  t.equal(viewer.heard.length, 2, 'two came, one message')
  desk.left(technician)
  await viewer.until('reader,scope')
  t.same(microscope.heard, [], 'a microscope has no use for it')
  desk.left(technician)
})

t.test('tells of no more members than a message holds', async t => {
  using desk = new MembersDesk()
  for (let i = 0; i < MAX_MEMBERS_TOLD; i++) desk.joined(new Member(`scanner-${i}`, 'scanner'))
  const viewer = new Member('reader', 'viewer')
  desk.joined(viewer)
  t.equal(viewer.heard[0]?.split(',').length, MAX_MEMBERS_TOLD)
})
