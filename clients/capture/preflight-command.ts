import { homedir } from 'node:os'
import { Command } from 'commander'
import { z } from 'zod'
import { systemClock } from '../../relay/runtime/clock.ts'
import { flag, numeric, parseConfig } from '../../relay/runtime/config.ts'
import { findInvitation } from '../../relay/runtime/invitation-link.ts'
import { LANGUAGES, terminalLanguage } from '../../relay/runtime/terminal-language.ts'
import { worstColour } from '../../relay/wire/preflight-verdict.ts'
import { describeColour, describeResult } from '../../relay/wire/preflight-words.ts'
import { millis } from '../../relay/wire/units.ts'
import { checkAgent } from './agent-preflight.ts'
import { inColumns, inMegabits } from './line-figures.ts'
import { lineSpeaker } from './line-words.ts'
import { attended } from './link-command.ts'
import { megabits } from './link-probe.ts'
import type { PreflightColour } from '../../relay/wire/preflight.ts'

const PreflightSettings = z.strictObject({
  invitation: z.string().min(1).optional(),
  invitationFile: z.string().min(1).optional(),
  node: z.url().optional(),
  seconds: numeric(z.number().min(3).max(120)).default(20),
  /** In megabits per second. */
  load: numeric(z.number().min(0.1).max(1000)).default(30),
  directory: z.string().min(1).default(() => homedir()),
  lang: z.enum(LANGUAGES).optional(),
  json: flag().default(false),
})

/** Exit code by the worst colour. */
const EXIT_CODE: Readonly<Record<PreflightColour, number>> = { green: 0, unknown: 1, amber: 1, red: 2 }

async function runPreflight(flags: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<number> {
  const settings = parseConfig(PreflightSettings, { environment: process.env, flags })
  const language = settings.lang ?? terminalLanguage(process.env)
  const say = lineSpeaker(language)
  const { results, measured, isKept } = await checkAgent({
    address: await findInvitation(settings), clock: systemClock, duration: millis(1000 * settings.seconds), load: megabits(settings.load),
    stateDir: settings.directory, wallNow: () => Date.now(),
    onStep: ({ kind, path, duration }) => {
      process.stderr.write(`${say(kind === 'idle' ? 'announceIdle' : 'announceLoad', { path, load: inMegabits(megabits(settings.load)), n: (duration / 1000).toFixed(1) })}\n`)
    },
  }, signal)
  const worst = worstColour(results)
  if (settings.json) {
    const told = results.map(result => ({ ...result, text: describeResult(result, language) }))
    process.stdout.write(`${JSON.stringify({ verdict: worst, isKept, results: told, measured }, null, 2)}\n`)
  } else {
    const rows = results.map(result => {
      const { check, colour, figure, advice } = describeResult(result, language)
      return [colour, check, figure, result.advice === 'fine' ? '' : advice]
    })
    process.stdout.write(`${[describeColour(worst, language), ...inColumns(rows, '  ')].join('\n')}\n`)
  }
  return EXIT_CODE[worst]
}

/** `kenkyo preflight`: checks the end at the microscope before the case. */
export function preflightCommand(): Command {
  return new Command('preflight')
    .description("Check this machine and its line before a case, with a viewer's or a technician's invitation, and say what to do.")
    .option('--invitation-file <file>', 'file with the invitation link, or the token in it')
    .option('--invitation <link>', 'the same, directly')
    .option('--node <url>', 'origin of the node, with a token alone or to override the link')
    .option('--seconds <n>', 'for the line, a third of it without load (default 20)')
    .option('--load <Mbit/s>', 'what is sent (default 30, a full view)')
    .option('--directory <path>', "whose disk is looked at (default: the user's home)")
    .option('--lang <language>', 'en or ja (default: by LC_ALL, LC_MESSAGES or LANG)')
    .option('--json', 'figures and verdict as one document')
    .addHelpText('after', '\nExit codes: 0 good, 1 with limits or not all checked, 2 bad, 3 nothing was checked.')
    .action((flags: Record<string, unknown>) => attended(signal => runPreflight(flags, signal)))
}
