import { WeirError } from '../core/errors.ts'

/** Why a file cannot be read, in words of our own: those of a library may quote what lies in the file. */
export class Unreadable extends Error {
  readonly cure: string

  constructor(why: string, cure: string, cause?: unknown) {
    super(why, { cause })
    this.cure = cure
  }
}

type Failure = Error & { readonly code?: string }

/**
 * The error of a file that cannot be read, with its cure.
 *
 * @param file its path, or another name for it.
 */
export function unreadable(file: string, cause: unknown): WeirError {
  const { message, cure } = cause instanceof Unreadable ? cause : inWords(cause as Failure)
  return new WeirError('WEIR_CLI_INPUT', `cannot read ${file}: ${message}`, { cure, cause })
}

function inWords({ code = '', message }: Failure): { message: string; cure: string } {
  if (code === 'Z_BUF_ERROR')
    return {
      message: 'its compressed data ends too early, it was cut off',
      cure: 'copy the file again, whole',
    }
  if (code.startsWith('Z_')) {
    return {
      message: `it is damaged, or not packed by gzip (${code})`,
      cure: 'copy the file again; name it without .gz if it is not packed',
    }
  }
  // Of the operating system: they name the path only.
  if (/^E[A-Z]+$/.test(code)) return { message, cure: 'check the path and its rights' }
  return {
    message: 'its bytes are not those of such a file, or damaged',
    cure: 'copy the file again; check that it is of the kind that its name or --format says',
  }
}
