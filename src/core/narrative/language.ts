import type { ReasonRow } from '../policy.ts'

/** English and simplified Chinese. */
export const languages = ['en', 'zh'] as const
export type Language = (typeof languages)[number]

/** The row with its sentence in the language; one without gives its code, feature and value. */
export function worded(row: ReasonRow, language: Language): ReasonRow {
  if (language === 'en') return row
  const usual = row.usual && { ...row.usual, text: row.usual.text_zh ?? '平常为{usual}' }
  return { ...row, text: row.text_zh ?? `${row.code}（${row.feature}为{value}）。`, usual }
}
