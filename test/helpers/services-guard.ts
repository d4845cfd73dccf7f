import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Makes sure that something ends with this process, however this process ends (SIGKILL too): a shell in its own
 * session waits for the end of a pipe that only we hold open, then runs the command.
 *
 * @param command `sh` text; `$1`, `$2` … are the arguments.
 * @returns takes the guard away without running the command.
 */
export function guard(command: string, ...args: string[]): () => Promise<void> {
  const shell = spawn('sh', ['-c', `cat >/dev/null; ${command}`, 'guard', ...args], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  // A guard that is gone already has nothing to be told.
  shell.stdin.on('error', () => {})
  const exited = once(shell, 'exit')
  return async () => {
    if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return
    shell.ref()
    process.kill(-shell.pid, 'SIGKILL')
    await exited
  }
}
