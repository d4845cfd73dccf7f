import { WeirError } from '../core/errors.ts'

export const closed = (): WeirError =>
  new WeirError('WEIR_CLIENT_CLOSED', 'the client was closed', { cure: 'make another one with createClient' })
