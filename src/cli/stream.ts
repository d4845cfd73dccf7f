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
      const starting = startStream(config, logger)
      // A signal may come while it starts; as the first process of a container Node.js would ignore it.
      stopOnSignal(async () => {
        logger.info('stopping')
        const stream = await starting
        await stream.stop()
        logger.info('stopped')
      })
      await starting
    })
}
