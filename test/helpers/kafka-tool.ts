import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { kafkaTools } from './services-fetch.ts'

const classes = {
  'kafka-acls.sh': 'AclCommand',
  'kafka-configs.sh': 'ConfigCommand',
} as const

/**
 * Runs one of Kafka's command line tools as its script would.
 *
 * @throws Error with what it said.
 */
export async function kafkaTool(script: keyof typeof classes, args: readonly string[]): Promise<string> {
  const classPath = join(await kafkaTools(), '*')
  const java = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath]
  const run = [...java, `org.apache.kafka.tools.${classes[script]}`, ...args]
  const { stdout } = await promisify(execFile)('java', run)
  return stdout
}
