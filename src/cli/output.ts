import { styleText } from 'node:util'
import { SingleBar } from 'cli-progress'
import { getBorderCharacters, table } from 'table'
import { minorUnitExponent } from '../core/currencies.ts'

type Style = Parameters<typeof styleText>[0]

/** Colours where the stream is a terminal that wants them (NO_COLOR, FORCE_COLOR); plain text elsewhere. */
export const styled = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  styleText(style, text, { stream })

/** One line of a command's result, on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

/** News about the work, on standard error, so that results can be piped. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

/**
 * Columns aligned by display width, without lines.
 *
 * @param align of all columns but the first: numbers end at the right, words begin at the left.
 */
export function printTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: 'numbers' | 'words' = 'words',
): void {
  const cells = [head.map((cell) => styled('dim', cell)), ...rows.map((row) => [...row])]
  const text = table(cells, {
    border: getBorderCharacters('void'),
    columnDefault: { paddingLeft: 0, paddingRight: 2, alignment: align === 'numbers' ? 'right' : 'left' },
    columns: [{ alignment: 'left' }],
    drawHorizontalLine: () => false,
  })
  print(text.replaceAll(/ +$/gm, '').trimEnd())
}

export interface Progress {
  add(count: number): void
  /** How much of the work is done, 0 to 1, where that is known otherwise than by the count. */
  reach(fraction: number): void
  /** Ends the display and returns what was counted in how many seconds. */
  stop(): { readonly count: number; readonly seconds: number }
}

const lineEveryMs = 5_000

/** Ends whatever progress is shown: its timers would keep a program alive that has failed. */
export let endProgress: () => void = () => {}

/**
 * Shows count, rate and time left on standard error: a bar on a terminal, else a line every five seconds.
 *
 * @param total what the count goes up to; Infinity when it has no known end.
 */
export function startProgress(what: string, total: number): Progress {
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1_000
  let count = 0
  let reached = 0
  const fraction = () => Math.max(reached, count / total)
  const line = () => progressLine(what, count, fraction(), seconds())
  const bar = process.stderr.isTTY ? startBar() : undefined
  const timer = bar === undefined ? setInterval(() => note(line()), lineEveryMs) : undefined
  endProgress = () => {
    clearInterval(timer)
    bar?.stop()
  }
  return {
    add(more) {
      count += more
      bar?.update(fraction() * 100, { line: line() })
    },
    reach(done) {
      reached = done
    },
    stop() {
      endProgress()
      return { count, seconds: seconds() }
    },
  }
}

function startBar(): SingleBar {
  const bar = new SingleBar({ format: '{bar} {percentage}% {line}', stream: process.stderr })
  bar.start(100, 0, { line: '' })
  return bar
}

/** `12,000 records, 3,000/s, 13 s left`; the time left needs a fraction of the work that is done. */
export function progressLine(what: string, count: number, fraction: number, seconds: number): string {
  const line = `${grouped(count)} ${what}, ${grouped(rateOf(count, seconds))}/s`
  return fraction > 0 ? `${line}, ${Math.ceil((seconds * (1 - fraction)) / fraction)} s left` : line
}

const rateOf = (count: number, seconds: number): number => (seconds === 0 ? 0 : Math.round(count / seconds))

/** 1234567 as 1,234,567. */
export const grouped = (value: number): string => value.toLocaleString('en-US')

/** 5716 minor units of EUR as `57.16 EUR`. */
export function money(amountMinor: number, currency: string): string {
  const exponent = minorUnitExponent(currency) ?? 0
  return `${(amountMinor / 10 ** exponent).toFixed(exponent)} ${currency}`
}
