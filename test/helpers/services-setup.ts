import type { TestProject } from 'vitest/node'
import { startShared } from './services.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Bootstrap servers, comma-separated. Use topic and group names of your own. */
    kafkaBrokers: string
    /** Use a key prefix of your own. */
    redisUrl: string
  }
}

/** Before the first test that needs services: one broker and one store for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { kafka, redis, stop } = await startShared()
  project.provide('kafkaBrokers', kafka)
  project.provide('redisUrl', redis)
  return stop
}
