import { styleText } from 'node:util'
import { SingleBar } from 'cli-progress'
import { getBorderCharacters, table } from 'table'

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

/** Columns aligned by display width, without lines. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [head.map((cell) => styled('dim', cell)), ...rows.map((row) => [...row])]
  const text = table(cells, {
    border: getBorderCharacters('void'),
    columnDefault: { paddingLeft: 0, paddingRight: 2 },
    drawHorizontalLine: () => false,
  })
  print(text.replaceAll(/ +$/gm, '').trimEnd())
}

export interface Progress {
  add(count: number): void
  /** Ends the display and returns what was counted in how many seconds. */
  stop(): { readonly count: number; readonly seconds: number }
}

const lineEveryMs = 5_000

/**
 * Shows count, rate and time left on standard error: a bar on a terminal, else a line every five seconds.
 *
 * @param total what the count goes up to; Infinity when it has no known end.
 */
export function startProgress(what: string, total: number): Progress {
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1_000
  let count = 0
  const bar = process.stderr.isTTY && Number.isFinite(total) ? startBar(what, total) : undefined
  const timer =
    bar === undefined
      ? setInterval(() => note(progressLine(what, count, total, seconds())), lineEveryMs)
      : undefined
  return {
    add(more) {
      count += more
      bar?.update(count, { rate: rateOf(count, seconds()) })
    },
    stop() {
      clearInterval(timer)
      bar?.stop()
      return { count, seconds: seconds() }
    },
  }
}

function startBar(what: string, total: number): SingleBar {
  const format = `{bar} {percentage}% | {value}/{total} ${what} | {rate}/s | {eta_formatted} left`
  const bar = new SingleBar({ format, stream: process.stderr, etaBuffer: 100 })
  bar.start(total, 0, { rate: 0 })
  return bar
}

/** `12,000 of 50,000 transactions, 3,000/s, 13 s left`. */
export function progressLine(what: string, count: number, total: number, seconds: number): string {
  const rate = rateOf(count, seconds)
  const done = `${grouped(count)}${Number.isFinite(total) ? ` of ${grouped(total)}` : ''} ${what}, ${grouped(rate)}/s`
  if (!Number.isFinite(total) || count === 0) return done
  return `${done}, ${Math.ceil(((total - count) * seconds) / count)} s left`
}

const rateOf = (count: number, seconds: number): number => (seconds === 0 ? 0 : Math.round(count / seconds))

/** 1234567 as 1,234,567. */
export const grouped = (value: number): string => value.toLocaleString('en-US')
