import type { ReasonRow } from '../policy.ts'

/** English and simplified Chinese. */
export const languages = ['en', 'zh'] as const
export type Language = (typeof languages)[number]

/** The row with its sentences in the language; one without gives its code, feature and value, and nothing usual. */
export function worded(row: ReasonRow, language: Language): ReasonRow {
  if (language === 'en') return row
  const usual = row.usual?.text_zh === undefined ? undefined : { ...row.usual, text: row.usual.text_zh }
  return { ...row, text: row.text_zh ?? `${row.code}（${row.feature}为{value}）。`, usual }
}
