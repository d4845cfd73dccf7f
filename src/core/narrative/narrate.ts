import type { Alert } from '../types.ts'
import { inEnglish } from './en.ts'
import { factsOf } from './facts.ts'
import type { Language } from './language.ts'
import { inChinese } from './zh.ts'

const writers = { en: inEnglish, zh: inChinese }

/**
 * An alert as one paragraph for people: what was paid, what was decided, and why. It says nothing but what the alert
 * holds, and the same alert gives the same text.
 */
export const narrate = (alert: Alert, language: Language): string => writers[language](factsOf(alert))
