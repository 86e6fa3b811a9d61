import { rateOfLevels } from '../../../relay/wire/admission.ts'
import { text } from '../i18n.ts'
import type { AdmissionOffer, AdmissionShortage } from '../../../relay/wire/admission.ts'
import type { Language } from '../i18n.ts'

const megabits = (bitsPerSecond: number): string => (bitsPerSecond / 1e6).toFixed(1)

function offerWords(language: Language, offer: AdmissionOffer): string {
  switch (offer.kind) {
    case 'fewer_levels':
      return text(language, 'roomForOverview', megabits(rateOfLevels(offer.levels)))
    case 'other_link':
      return text(language, 'roomOnLink', offer.link)
    case 'later':
      return text(language, 'roomLater', new Date(offer.atMillis).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' }))
    default:
      return offer satisfies never
  }
}

/** What a line lacks, and what would fit, for whoever was refused. */
export function admissionWords(language: Language, { link, shortageBitsPerSecond, offers }: AdmissionShortage): string {
  const lacking = text(language, 'roomLacking', megabits(shortageBitsPerSecond)).replace('{link}', link)
  return [lacking, ...offers.map(offer => offerWords(language, offer))].join(language === 'ja' ? '' : ' ')
}
