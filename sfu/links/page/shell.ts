import { speaker } from './words.ts'
import type { Language } from './words.ts'

/** The page before its script has run. Nothing in it comes from outside this file and its words. */
export function pageShell(language: Language): string {
  const say = speaker(language)
  const other = language === 'en' ? 'ja' : 'en'
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<title>kenkyo · ${say('title')}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="links/page/uplot.css">
<link rel="stylesheet" href="links/page/page.css">
<script type="module" src="links/page/main.ts"></script>
</head>
<body>
<header class="bar">
<h1>kenkyo · ${say('title')}</h1>
<nav aria-label="${say('toLinks')}"><ul id="tabs"></ul></nav>
<div role="group" aria-label="${say('range')}">
<button type="button" data-range-seconds="60" aria-pressed="false">${say('lastMinute')}</button><button type="button" data-range-seconds="600" aria-pressed="true">${say('lastMinutes')}</button>
</div>
<button type="button" id="pause" aria-pressed="false">${say('pause')}</button>
<span id="status" class="waiting">${say('waiting')}</span>
<a href="?lang=${other}" lang="${other}" hreflang="${other}">${say('otherLanguage')}</a>
</header>
<noscript><p class="notice">${say('noScript')}</p></noscript>
<main>
<p id="no-links" class="notice" hidden>${say('noLinks')}</p>
<div id="links"></div>
</main>
<footer>${say('keys')} · uPlot (MIT)</footer>
</body>
</html>
`
}
