import { type Comparison, type Contestant, isAlone } from '../core/evaluation/comparison.ts'
import { numbered } from '../core/numbers.ts'
import type { Thresholds } from '../core/thresholds.ts'
import { outcomes } from '../core/types.ts'
import { amountsIn, count, moment, money, percent } from './format.ts'
import { type Html, html, none, tableOf } from './html.ts'

/** What was replayed: of replay.json, what a report tells. */
export interface Replayed {
  readonly source: string
  readonly payments: number
  readonly duplicates: number
  /** Rows that could not be read or were refused. */
  readonly rejected: number
  readonly candidates: readonly {
    readonly name: string
    readonly model: string
    readonly model_sha256: string
    readonly feature_hash: string
    readonly policy: string
    readonly thresholds: Thresholds
  }[]
}

type Row = readonly [string, string | Html]

const list = (rows: readonly Row[]): Html =>
  html`<dl>
${rows.map(([term, meaning]) => html`<dt>${term}</dt><dd>${meaning}</dd>\n`)}</dl>
`

/** What was compared, and on what. */
export function setting(comparison: Comparison, replayed: Replayed): Html {
  const { data, method, champion, candidate } = comparison
  const { judged, too_young, frauds, label_delay_days: delay } = data
  const young =
    too_young.payments === 0
      ? ''
      : `: ${numbered(data.maturity_days, 'day')} before that; ${count(too_young.payments)} later ones are too young`
  const rows: readonly Row[] = [
    ['Source', replayed.source],
    [
      'Payments',
      `${count(data.payments)} of ${numbered(data.customers, 'customer')}, ${money(data.value, data.currency)} in all`,
    ],
    [
      'Time',
      `${moment(data.first_event_time)} to ${moment(data.last_event_time)}, ${numbered(data.days, 'day')} (UTC)`,
    ],
    [
      'Labels',
      `those known by ${moment(data.labels_until)}; of ${count(judged.payments)} judged payments ${count(data.labelled)} carry one`,
    ],
    [
      'Judged',
      judged.payments === 0
        ? `none: no payment was ${numbered(data.maturity_days, 'day')} old by then`
        : `${numbered(judged.payments, 'payment')} (${money(judged.value, data.currency)}), up to ${moment(data.judged_until)}${young}`,
    ],
    [
      'Frauds',
      `${count(frauds.payments)} (${money(frauds.value, data.currency)}), ${percent(judged.payments === 0 ? 0 : frauds.payments / judged.payments)} of the judged payments`,
    ],
    ...(delay === null
      ? []
      : [
          [
            'Delay of labels',
            `half were known after ${delay.median.toFixed(1)} days, 95 % after ${delay.p95.toFixed(1)}`,
          ] as const,
        ]),
    [
      'Intervals',
      method.resamples === 0
        ? 'none were computed'
        : `${percent(method.level).replace('.00', '')}, customers drawn again ${count(method.resamples)} times (seed ${String(method.seed)})`,
    ],
    ['Money', `in ${data.currency}, the features' reference currency`],
  ]
  return html`<section><h2>${isAlone(comparison) ? 'What was replayed' : 'What was compared, and on what'}</h2>
${list(rows)}
${contestants(isAlone(comparison) ? [champion] : [champion, candidate], replayed, data.currency)}</section>
`
}

function contestants(two: readonly Contestant[], { candidates }: Replayed, currency: string): Html {
  const known = two.map(({ name }) => candidates.find((one) => one.name === name))
  const row = (
    title: string,
    of: (one: Replayed['candidates'][number]) => string,
  ): readonly (string | Html)[] => [
    title,
    ...known.map((one) => (one === undefined ? '–' : html`<code>${of(one)}</code>`)),
  ]
  return tableOf(
    `Who decided${amountsIn(currency)}`,
    ['', ...two.map(({ name }) => name)],
    [
      row('Model', ({ model }) => model),
      row('Model, hash', ({ model_sha256 }) => model_sha256),
      row('Features, hash', ({ feature_hash }) => feature_hash),
      row('Policy', ({ policy }) => policy),
      row('Challenge, review, decline from', ({ thresholds: { challenge, review, decline } }) =>
        [challenge, review, decline].map((cutOff) => (cutOff > 999 ? 'never' : String(cutOff))).join(', '),
      ),
      ['Alerts', ...two.map(({ alert_on }) => alert_on.join(', ') || 'none')],
      ...outcomes.map((outcome) => [
        `Payments: ${outcome}`,
        ...two.map(
          (one) => `${count(one.outcomes[outcome].payments)} (${money(one.outcomes[outcome].value, null)})`,
        ),
      ]),
      ['Judged payments without a score', ...two.map(({ unscored }) => count(unscored))],
    ],
    'words',
  )
}

/** What did not make it into the figures. */
export function leftOut({ rejected, duplicates, source }: Replayed): Html {
  return html`<section><h2>Rows left out</h2>
${rejected === 0 ? html`<p>Every row of ${source} could be read.</p>` : html`<p>${numbered(rejected, 'row')} of ${source} could not be read or taken; the replay named each of them.</p>`}
${duplicates === 0 ? none : html`<p>${numbered(duplicates, 'payment')} came more than once; the first decision stands for them.</p>`}
</section>
`
}
