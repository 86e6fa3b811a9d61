import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import cedar from '@cedar-policy/cedar-wasm/nodejs'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { ACCESS_ACTIONS } from '../../wire/access.ts'
import { FAULT_CODES, RelayFault } from '../../wire/fault.ts'
import { Sha256 } from '../../wire/ids.ts'
import type { AccessAction, AccessFacts } from '../../wire/access.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs'

/** The policies that come with the program. */
export const BUILT_IN_POLICIES = fileURLToPath(new URL('policies/', import.meta.url))
const SCHEMA_FILE = 'kenkyo.cedarschema'
const POLICY_SUFFIX = '.cedar'
/** More than any folder of policies that somebody can review. */
const MAX_POLICY_CHARACTERS = 256 * 1024

/** Decisions that are remembered. All facts without head-room make 26,880; a node meets few of them. */
const MAX_REMEMBERED = 8192

/** What a policy says of itself: `@id` names it in audit records, `@fault` is the code that it refuses with. */
const Annotations = z.object({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'expected @id of lower-case letters, digits and "-"'),
  fault: z.enum(FAULT_CODES).default('policy_refused'),
})

/** The answer to one question. */
export interface PolicyDecision {
  readonly isAllowed: boolean
  /** Ids of the policies that decided; none where nothing permits. */
  readonly policies: readonly string[]
  /** Why it is refused; null when it is allowed. */
  readonly fault: FaultCode | null
}

/** Where several policies forbid, the fault that the asker can do most about. */
const TELLING: readonly FaultCode[] = ['consent_withdrawn', 'consent_required', 'admission_refused']

/**
 * Decides what facts permit, by Cedar policies in files: deny by default, and whatever forbids wins.
 *
 * @see https://docs.cedarpolicy.com/auth/authorization.html
 */
export class AccessPolicy {
  /** Of all policies, by which decisions are recorded. */
  readonly sha256: Sha256
  readonly #setId: string
  readonly #schemaId: string
  readonly #faults: ReadonlyMap<string, FaultCode>
  /** An evaluation takes a millisecond and more, in which a node does nothing else; a withdrawal asks for dozens, a registry for thousands. */
  readonly #decided = new LRUCache<string, PolicyDecision>({ max: MAX_REMEMBERED })

  private constructor(setId: string, schemaId: string, faults: ReadonlyMap<string, FaultCode>, sha256: Sha256) {
    this.sha256 = sha256
    this.#setId = setId
    this.#schemaId = schemaId
    this.#faults = faults
  }

  /**
   * Reads every `.cedar` file of a folder and holds it against the schema that comes with the program.
   *
   * @throws {RelayFault} `bad_config` naming file and mistake: unreadable, no policies, a policy without `@id` or with
   *   another's, one that the schema does not know the words of.
   */
  static async read(directory: string = BUILT_IN_POLICIES): Promise<AccessPolicy> {
    const [schema, files] = await Promise.all([readFile(join(BUILT_IN_POLICIES, SCHEMA_FILE), 'utf8'), readPolicyFiles(directory)])
    return AccessPolicy.parse(files, schema)
  }

  /** As {@link read}, of texts by file name. @throws {RelayFault} `bad_config`. */
  static parse(files: ReadonlyMap<string, string>, schema: string): AccessPolicy {
    const policies: Record<string, string> = {}
    const faults = new Map<string, FaultCode>()
    for (const [file, text] of files) {
      for (const policy of policiesIn(file, text)) {
        const { id, fault } = annotationsOf(file, policy)
        if (Object.hasOwn(policies, id)) throw new RelayFault('bad_config', `policy file ${file}: there are two policies with @id("${id}")`)
        policies[id] = policy
        faults.set(id, fault)
      }
    }
    if (faults.size === 0) throw new RelayFault('bad_config', 'there are no policies: nothing would be permitted')
    validate(policies, schema)
    // The engine keeps parsed sets by name for as long as the process lives.
    const [setId, schemaId] = [crypto.randomUUID(), crypto.randomUUID()]
    requireParsed('policies', cedar.preparsePolicySet(setId, { staticPolicies: policies }))
    requireParsed('schema', cedar.preparseSchema(schemaId, schema))
    return new AccessPolicy(setId, schemaId, faults, Sha256.parse(createHash('sha256').update(JSON.stringify(Object.entries(policies).sort())).digest('hex')))
  }

  /** Ids of all policies. */
  get policyIds(): readonly string[] {
    return [...this.#faults.keys()]
  }

  /** What these facts permit. Whatever cannot be evaluated is refused. The same facts are decided once: policies and facts are all that counts. */
  decide(facts: AccessFacts): PolicyDecision {
    const { role, action, purpose, consent, link, headRoomBitsPerSecond, isParticipant, isEmergency } = facts
    const key = JSON.stringify([role, action, purpose, consent, link, wholeRate(headRoomBitsPerSecond), isParticipant, isEmergency])
    const known = this.#decided.get(key)
    if (known !== undefined) return known
    const decision = this.#evaluate(facts)
    this.#decided.set(key, decision)
    return decision
  }

  #evaluate(facts: AccessFacts): PolicyDecision {
    const answer = cedar.statefulIsAuthorized({
      principal: entity('Role', facts.role),
      action: entity('Action', facts.action),
      resource: entity('Node', 'this'),
      context: {
        purpose: { __entity: entity('Purpose', facts.purpose) },
        consent: { __entity: entity('Consent', facts.consent) },
        link: { __entity: entity('Link', facts.link) },
        headRoomBitsPerSecond: wholeRate(facts.headRoomBitsPerSecond),
        isParticipant: facts.isParticipant,
        isEmergency: facts.isEmergency,
      },
      entities: [],
      preparsedPolicySetId: this.#setId,
      preparsedSchemaName: this.#schemaId,
      validateRequest: true,
    })
    if (answer.type === 'failure') return { isAllowed: false, policies: [], fault: 'policy_refused' }
    const { decision, diagnostics } = answer.response
    const policies = [...diagnostics.reason].sort()
    // A policy that could not be evaluated might have forbidden.
    if (decision === 'allow' && diagnostics.errors.length === 0) return { isAllowed: true, policies, fault: null }
    const faults = decision === 'deny' ? policies.map(id => this.#faults.get(id) ?? 'policy_refused') : []
    return { isAllowed: false, policies, fault: TELLING.find(code => faults.includes(code)) ?? 'policy_refused' }
  }

  /** The actions that the rest of the facts permit, and the decision on each of all {@link ACCESS_ACTIONS}. */
  decideAll(facts: Omit<AccessFacts, 'action'>): ReadonlyMap<AccessAction, PolicyDecision> {
    return new Map(ACCESS_ACTIONS.map(action => [action, this.decide({ ...facts, action })]))
  }
}

const entity = (type: string, id: string) => ({ type: `Kenkyo::${type}`, id })

/** Cedar knows whole numbers only; one that is none leaves no head room. */
const wholeRate = (rate: number): number => (Number.isFinite(rate) ? Math.max(0, Math.min(Number.MAX_SAFE_INTEGER, Math.floor(rate))) : 0)

async function readPolicyFiles(directory: string): Promise<Map<string, string>> {
  try {
    const names = (await readdir(directory)).filter(name => name.endsWith(POLICY_SUFFIX)).sort()
    const texts = await Promise.all(names.map(async name => [name, await readFile(join(directory, name), 'utf8')] as const))
    return new Map(texts)
  } catch (cause) {
    throw new RelayFault('bad_config', 'the folder of policies cannot be read', { cause })
  }
}

function policiesIn(file: string, text: string): string[] {
  if (text.length > MAX_POLICY_CHARACTERS) throw new RelayFault('bad_config', `policy file ${file}: longer than ${MAX_POLICY_CHARACTERS} characters`)
  const parts = cedar.policySetTextToParts(text)
  if (parts.type === 'failure') throw new RelayFault('bad_config', `policy file ${file}: ${tell(parts.errors)}`)
  if (parts.policy_templates.length > 0) throw new RelayFault('bad_config', `policy file ${file}: templates are not used here`)
  return parts.policies
}

function annotationsOf(file: string, policy: string): z.infer<typeof Annotations> {
  const answer = cedar.policyToJson(policy)
  if (answer.type === 'failure') throw new RelayFault('bad_config', `policy file ${file}: ${tell(answer.errors)}`)
  const result = Annotations.safeParse(answer.json.annotations ?? {})
  if (!result.success) throw new RelayFault('bad_config', `policy file ${file}: ${z.prettifyError(result.error)}`, { cause: result.error })
  return result.data
}

function validate(policies: Record<string, string>, schema: string): void {
  const answer = cedar.validate({ schema, policies: { staticPolicies: policies }, validationSettings: { mode: 'strict' } })
  if (answer.type === 'failure') throw new RelayFault('bad_config', `the policies cannot be validated: ${tell(answer.errors)}`)
  // A warning is a policy that can never apply: somebody meant something else.
  const mistakes = [...answer.validationErrors, ...answer.validationWarnings].map(({ policyId, error }) => `policy ${policyId}: ${tell([error])}`)
  if (mistakes.length > 0) throw new RelayFault('bad_config', mistakes.join('\n'))
}

function requireParsed(what: string, answer: ReturnType<typeof cedar.preparsePolicySet>): void {
  if (answer.type === 'failure') throw new RelayFault('bad_config', `the ${what} cannot be read: ${tell(answer.errors)}`)
}

const tell = (errors: readonly DetailedError[]): string => errors.map(({ message, help }) => (help === null ? message : `${message} (${help})`)).join('; ')
