import type { Alert } from '../types.ts'
import { inEnglish } from './en.ts'
import { factsOf } from './facts.ts'
import { inChinese } from './zh.ts'

export const languages = ['en', 'zh'] as const
/** English or simplified Chinese. */
export type Language = (typeof languages)[number]

const writers = { en: inEnglish, zh: inChinese }

/**
 * An alert as one paragraph for people: what was paid, what was decided, and why. It says nothing but what the alert
 * holds, and the same alert gives the same text.
 */
export const narrate = (alert: Alert, language: Language): string => writers[language](factsOf(alert))
