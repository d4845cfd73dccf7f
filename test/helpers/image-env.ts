import { readFileSync } from 'node:fs'

const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
const [, line] = /^ENV (NODE_OPTIONS=.*)$/m.exec(dockerfile) ?? []
if (line === undefined) throw new Error('the Dockerfile sets no NODE_OPTIONS')

/** How the image bounds a member's memory. Bench and faults run members in the same way. */
export const imageEnv: Readonly<Record<string, string>> = Object.fromEntries(
  line.split(' ').map((setting) => {
    const at = setting.indexOf('=')
    return [setting.slice(0, at), setting.slice(at + 1)]
  }),
)
