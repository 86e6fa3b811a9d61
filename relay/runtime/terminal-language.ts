/** Languages that commands speak. */
export const LANGUAGES = ['en', 'ja'] as const
export type Language = (typeof LANGUAGES)[number]

/** The language of the person at the terminal: Japanese where the locale says so, else English. @see POSIX, "Internationalization Variables" */
export function terminalLanguage(environment: Readonly<Record<string, string | undefined>>): Language {
  const locale = ['LC_ALL', 'LC_MESSAGES', 'LANG'].map(name => environment[name]).find(value => value !== undefined && value !== '')
  return locale !== undefined && /^ja([_.@]|$)/i.test(locale) ? 'ja' : 'en'
}
