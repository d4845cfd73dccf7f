import type { Command } from 'commander'
import { startStream } from '../apps/stream.ts'
import { createLogger } from '../observability/log.ts'
import { configOf } from './flags.ts'
import { stopOnSignal } from './shutdown.ts'

export function registerStream(program: Command): void {
  program
    .command('stream')
    .description('score live: join the group on Kafka, keep features in Redis, until stopped')
    .action(async (_, command: Command) => {
      const { config } = configOf(command)
      const logger = createLogger(config.log, { app: config.app, group: config.group })
      const stream = await startStream(config, logger)
      stopOnSignal(async () => {
        logger.info('stopping')
        await stream.stop()
        logger.info('stopped')
      })
    })
}
