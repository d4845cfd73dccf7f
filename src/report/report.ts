import { type Comparison, isAlone } from '../core/evaluation/comparison.ts'
import { metricNames, metrics } from '../core/evaluation/metrics.ts'
import { writeWhole } from '../files/write-whole.ts'
import { meanings, words } from './definitions.ts'
import { moment } from './format.ts'
import { headline } from './headline.ts'
import { type Html, html, none } from './html.ts'
import { page, plots, warningList } from './page.ts'
import { calibration, histogram, overTime, ranking, sidesOf } from './plots.ts'
import { leftOut, type Replayed, setting } from './setting.ts'
import { allMetrics, bounds, changed, matrix, segments } from './tables.ts'

/**
 * Writes a comparison as one HTML file: no script, nothing from elsewhere, for screen and paper. The same comparison
 * gives the same bytes.
 *
 * @throws {WeirError} WEIR_CLI_INPUT when the file cannot be written.
 */
export function writeReport(
  path: string,
  comparison: Comparison,
  replayed: Replayed,
  warnings: readonly string[],
): void {
  writeWhole(path, renderReport(comparison, replayed, warnings))
}

/** @param warnings what a reader must know before trusting the figures, a sentence each. */
export function renderReport(
  comparison: Comparison,
  replayed: Replayed,
  warnings: readonly string[],
): string {
  const { champion, candidate, data } = comparison
  const alone = isAlone(comparison)
  const cutOffs = (name: string) => replayed.candidates.find((one) => one.name === name)?.thresholds ?? null
  return page(
    alone ? champion.name : `${candidate.name} against ${champion.name}`,
    html`<header><h1>${alone ? `What ${champion.name} would do` : `What ${candidate.name} would change`}</h1>
<p class="soft">${alone ? 'On' : `Against ${champion.name}, on`} payments from ${moment(data.first_event_time)} to ${moment(data.last_event_time)}.
Nothing live was touched: history was decided again.</p></header>
${headline(comparison)}
${warningList(warnings)}
${setting(comparison, replayed)}
${alone ? none : html`${matrix(comparison)}${changed(comparison)}`}
${plots('Money over time', overTime(comparison))}
${segments(comparison)}
${allMetrics(comparison)}
${plots('Scores', [
  ...sidesOf(comparison).map((side) => histogram(comparison, side, cutOffs(comparison[side].name))),
  ...ranking(comparison),
  ...sidesOf(comparison).map((side) => calibration(comparison, side)),
])}
${bounds(comparison)}
${leftOut(replayed)}
${definitions()}`,
  )
}

function definitions(): Html {
  const entries = [...words, ...metricNames.map((name) => [metrics[name].title, meanings[name]] as const)]
  return html`<section><h2>Words</h2>
<dl>
${entries.map(([word, meaning]) => html`<dt>${word}</dt><dd>${meaning}</dd>\n`)}</dl></section>
`
}
