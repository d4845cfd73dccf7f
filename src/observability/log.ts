import { styleText } from 'node:util'
import pino, { type Logger } from 'pino'
import { WeirError } from '../core/errors.ts'

export type { Logger }

/** Keys whose values are never written, whatever logs them: credentials, and what may hold payment data. */
const hiddenKeys = [
  'password',
  'username',
  'sasl',
  'authorization',
  'value',
  'payload',
  'transaction',
  'label',
  'card_token',
  'features',
]

/**
 * weir's own log: JSON lines on standard error (standard output belongs to what commands print), or readable
 * lines with `pretty`. Children carry `component`, and `topic`, `partition`, `offset` where there is one. Log
 * where a record lies, never what it holds.
 *
 * @param base fields of every line, such as app and group.
 */
export function createLogger(
  { level, pretty }: { readonly level: string; readonly pretty: boolean },
  base: Readonly<Record<string, string>> = {},
  stream: { write(text: string): unknown } = process.stderr,
): Logger {
  return pino(
    {
      level,
      base,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: hiddenKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '(hidden)' },
      serializers: { error: describeError },
    },
    pretty
      ? { write: (line: string) => stream.write(readable(line)) }
      : { write: (line) => stream.write(line) },
  )
}

/** A mistake of a user needs no stack; a bug does. */
function describeError(error: unknown): unknown {
  if (error instanceof WeirError) {
    const { code, message, cure, retriable, cause } = error
    return { code, message, cure, retriable, ...(cause instanceof Error && { cause: cause.message }) }
  }
  return error instanceof Error ? { message: error.message, stack: error.stack } : error
}

const colours = { warn: 'yellow', error: 'red', fatal: 'red' } as const

function readable(line: string): string {
  const { time, level, message, ...fields } = JSON.parse(line) as Record<string, string>
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const colour = colours[level as keyof typeof colours] ?? 'dim'
  const label = styleText(colour, String(level).padEnd(5), { stream: process.stderr })
  return `${time?.slice(11, 23)} ${label} ${message ?? ''} ${styleText('dim', rest.join(' '), { stream: process.stderr })}\n`
}
