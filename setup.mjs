// Runs before `npm start` and `npm test`: installs what the lock file names when it is not installed yet.
// Plain JavaScript on purpose: this is the one file that has to run on whatever Node a newcomer has.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const modified = (path) => statSync(path).mtimeMs
const installed = 'node_modules/.package-lock.json'
if (!existsSync(installed) || modified(installed) < modified('package-lock.json')) {
  console.error('weir: installing dependencies, Node 24 among them (once, about half a minute)')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) {
    console.error('weir: `npm ci` failed. Check that the npm registry can be reached, then try again.')
    process.exit(1)
  }
}
