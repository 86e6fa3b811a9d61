import { readFile, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { CONSENT_SCOPES, ConsentScope } from '../access/consent/consent-statement.ts'
import { certificatePem, TestCard, TestCardAuthority } from '../access/consent/test-card.ts'
import { FacilityDesk } from '../access/core/facility-desk.ts'
import { readMember } from '../access/pki/enrolment-folder.ts'
import { ConsentId, FacilityId, Purpose, PURPOSES } from '../wire/access.ts'
import { RelayFault } from '../wire/fault.ts'
import { ConsultationId } from '../wire/ids.ts'
import type { ConsentStatement } from '../access/consent/consent-statement.ts'
import type { ConsultationEntry } from '../access/consultations/consultation-entry.ts'

const HOUR_MILLIS = 3_600_000
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const list = <Entry extends z.ZodType<string, string>>(entry: Entry) => z.string().transform(text => text.split(',').map(name => name.trim()).filter(name => name !== '')).pipe(z.array(entry))
const iso = (millis: number): string => new Date(millis).toISOString()

/** @throws {RelayFault} `bad_message` that names the option and quotes nothing. */
function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw new RelayFault('bad_message', `${what}: ${result.error.issues.map(({ message }) => message).join('; ')}`)
  return result.data
}

interface DeskFlags {
  readonly folder: string
  readonly core: string
}

/** Adds the options that say which machine asks which core. */
function atDesk(command: Command): Command {
  return command.requiredOption('--folder <path>', 'folder of a machine of the facility that has joined').requiredOption('--core <url>', 'the core, https:// host and port')
}

async function openDesk({ folder, core }: DeskFlags): Promise<FacilityDesk> {
  const { reading: { member: { facilityId } }, ...credentials } = await readMember(folder)
  return new FacilityDesk(parse(z.url({ protocol: /^https$/ }), core, '--core'), credentials, facilityId)
}

async function readCard(path: string): Promise<TestCard> {
  const pem = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new RelayFault('bad_config', 'the card\'s file cannot be read', { cause })
  })
  return TestCard.fromPem(pem)
}

function consultationLine({ consultationId, hostFacilityId, participants, purpose, validUntilMillis }: ConsultationEntry, nowMillis: number): string {
  const state = validUntilMillis > nowMillis ? 'open until' : 'closed since'
  return `${consultationId} ${state} ${iso(validUntilMillis)} ${purpose} of ${hostFacilityId} with ${participants.join(',') || 'nobody'}`
}

/** As it stands at that time. */
function consentLine({ consentId, consultationId, purposes, scopes, recipients, validUntilMillis, withdrawnAtMillis }: ConsentStatement, nowMillis: number): string {
  const state = withdrawnAtMillis !== null ? `withdrawn ${iso(withdrawnAtMillis)}` : validUntilMillis > nowMillis ? `valid until ${iso(validUntilMillis)}` : `expired ${iso(validUntilMillis)}`
  return `${consentId} ${consultationId} ${state} ${scopes.join(',')} for ${purposes.join(',')} to ${recipients.join(',')}`
}

/** `kenkyo consultation`: the cases of a facility, as the platform knows them. `docs/ACCESS.md` */
export function consultationCommand(): Command {
  const open = atDesk(new Command('open'))
    .description('Open a case of this facility, or change who takes part.')
    .argument('<consultation>', 'its name, as in invitations; never a patient\'s')
    .option('--with <facilities>', 'facilities that take part, separated by commas', '')
    .option('--purpose <purpose>', PURPOSES.join(', '), 'consultation')
    .option('--hours <n>', 'for how long', '24')
    .action(async (id: string, { with: others, purpose, hours, ...flags }: DeskFlags & Record<'with' | 'purpose' | 'hours', string>) => {
      const entry = {
        consultationId: parse(ConsultationId, id, 'the consultation'),
        participants: parse(list(FacilityId), others, '--with'),
        purpose: parse(Purpose, purpose, '--purpose'),
        validUntilMillis: Date.now() + Math.round(parse(z.coerce.number().min(0.1).max(24 * 366), hours, '--hours') * HOUR_MILLIS),
      }
      const desk = await openDesk(flags)
      await desk.putConsultation(entry)
      say(consultationLine({ ...entry, hostFacilityId: desk.facilityId }, Date.now()))
    })
  const close = atDesk(new Command('close'))
    .description('End a case of this facility. Whoever sees anything of it stops seeing it.')
    .argument('<consultation>', 'its name')
    .action(async (id: string, flags: DeskFlags) => {
      await (await openDesk(flags)).closeConsultation(parse(ConsultationId, id, 'the consultation'), Date.now())
      say(`${id} is closed.`)
    })
  const show = atDesk(new Command('list'))
    .description('List the cases that this facility takes part in.')
    .option('--json', 'as JSON')
    .action(async ({ json, ...flags }: DeskFlags & { json?: true }) => {
      const consultations = await (await openDesk(flags)).consultations()
      if (json === true) say(JSON.stringify(consultations, null, 2))
      else for (const each of consultations) say(consultationLine(each, Date.now()))
    })
  return new Command('consultation').description('Facility: open and close cases of the platform.').addCommand(open).addCommand(close).addCommand(show)
}

function giveCommand(): Command {
  return atDesk(new Command('give'))
    .description('Have a patient sign a consent with a test card, and bring it to the core.')
    .argument('<consultation>', 'the case, which is open')
    .requiredOption('--card <file>', 'the patient\'s test card, as `test-card` makes it')
    .option('--to <facilities>', 'who may see it, separated by commas (default: all who take part)')
    .option('--purposes <purposes>', `of ${PURPOSES.join(', ')} (default: the case's)`)
    .option('--scopes <scopes>', `of ${CONSENT_SCOPES.join(', ')}`, 'live,slide')
    .option('--hours <n>', 'for how long (default: as long as the case)')
    .action(async (id: string, { card, to, purposes, scopes, hours, ...flags }: DeskFlags & { card: string; to?: string; purposes?: string; scopes: string; hours?: string }) => {
      const desk = await openDesk(flags)
      const now = Date.now()
      const { consultationId, hostFacilityId, participants, purpose, validUntilMillis } = await desk.consultation(parse(ConsultationId, id, 'the consultation'))
      const statement = await desk.give(await readCard(card), {
        consultationId,
        recipients: to === undefined ? [hostFacilityId, ...participants] : parse(list(FacilityId), to, '--to'),
        purposes: purposes === undefined ? [purpose] : parse(list(Purpose), purposes, '--purposes'),
        scopes: parse(list(ConsentScope), scopes, '--scopes'),
        validFromMillis: now,
        validUntilMillis: hours === undefined ? validUntilMillis : now + Math.round(parse(z.coerce.number().min(0.1).max(24 * 366), hours, '--hours') * HOUR_MILLIS),
      }, now)
      say(consentLine(statement, now))
    })
}

function testCardCommand(): Command {
  return new Command('test-card')
    .description('Make a test card, and its authority where there is none. Real cards are neither read nor verified.')
    .requiredOption('--authority <file>', 'certificate and key of the test authority, PEM; made when it is missing, with its certificate alone in FILE.crt')
    .requiredOption('--out <file>', 'a new file for the card, PEM')
    .action(async ({ authority: path, out }: Record<'authority' | 'out', string>) => {
      const text = await readFile(path, 'utf8').catch(() => undefined)
      const authority = text === undefined ? await TestCardAuthority.open() : await TestCardAuthority.fromPem(text)
      const write = (file: string, content: string): Promise<void> => writeFile(file, content, { flag: 'wx', mode: 0o600 }).catch((cause: unknown) => {
        throw new RelayFault('conflict', `${file} is there already, or cannot be written`, { cause })
      })
      if (text === undefined) {
        await write(path, authority.toPem())
        await write(`${path}.crt`, certificatePem(authority.certificate))
      }
      await write(out, (await authority.issue('Test card')).toPem())
      say(`${out} is a test card; a core with \`--card-ca-file ${path}.crt\` takes it.`)
    })
}

/** `kenkyo consent`: what patients sign at the desk of a facility, and take back. `docs/ACCESS.md` */
export function consentCommand(): Command {
  const withdraw = atDesk(new Command('withdraw'))
    .description('Take a consent back. Whatever rests on it ends within a second.')
    .argument('<consent>', 'its id, as `list` prints it')
    .option('--card <file>', 'the patient\'s test card, when the patient signs that; without it the desk withdraws')
    .action(async (id: string, { card, ...flags }: DeskFlags & { card?: string }) => {
      const desk = await openDesk(flags)
      const statement = await desk.withdraw(parse(ConsentId, id, 'the consent'), card === undefined ? undefined : await readCard(card), Date.now())
      say(consentLine(statement, Date.now()))
    })
  const show = atDesk(new Command('list'))
    .description('List the consents to cases of this facility. They name no patient.')
    .argument('[consultation]', 'of this case alone')
    .option('--json', 'as JSON')
    .action(async (id: string | undefined, { json, ...flags }: DeskFlags & { json?: true }) => {
      const consents = (await (await openDesk(flags)).consents()).filter(({ consultationId }) => id === undefined || consultationId === id)
      if (json === true) say(JSON.stringify(consents, null, 2))
      else for (const each of consents) say(consentLine(each, Date.now()))
    })
  return new Command('consent').description('Facility: patients\' consents, signed with test cards.').addCommand(giveCommand()).addCommand(withdraw).addCommand(show).addCommand(testCardCommand())
}
