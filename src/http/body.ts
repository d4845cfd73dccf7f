import type { FastifyRequest } from 'fastify'
import { nearestPath } from '../config/nearest.ts'
import type { Rejection } from '../core/errors.ts'
import { contractDefaults } from './contract-schema.ts'
import { Refused } from './problem.ts'
import { schemas } from './schemas.ts'

/** @throws {Refused} for an address or a query that is not what the schema says. */
export function checkQuery({ validationError }: FastifyRequest): void {
  const { validationContext } = validationError ?? {}
  if (validationContext === 'params') {
    throw new Refused(404, 'WEIR_HTTP_NOT_FOUND', 'there is nothing at this address')
  }
  if (validationContext === 'querystring') {
    throw new Refused(400, 'WEIR_HTTP_REQUEST', 'a query parameter is unknown, or not of its form')
  }
}

/**
 * The body as a record's content, absent fields at their defaults, null where they have none. What a field holds is left
 * to the contract's own check, whose codes are those of dead letters.
 *
 * @throws {Refused} 400 when the request is not what its schema says in any other way.
 */
export function candidateOf<T>(request: FastifyRequest, name: 'Transaction' | 'Label'): T {
  const { properties = {} } = schemas[name]
  const { body, validationError } = request
  const [found] = validationError?.validation ?? []
  checkQuery(request)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Refused(400, 'WEIR_RECORD_UNDECODABLE', 'the body is not a JSON object')
  }
  if (found?.keyword === 'additionalProperties') {
    // A name that is none of ours may be anything, a card number too: what is repeated is one of ours.
    const given = String(found.params['additionalProperty']).slice(0, 40)
    const meant = nearestPath(given, Object.keys(properties))
    const hint = meant === undefined ? '' : `; perhaps ${meant} was meant`
    throw new Refused(
      400,
      'WEIR_RECORD_UNDECODABLE',
      `the body has a field that the schema ${name} lacks${hint}`,
    )
  }
  return { ...defaults[name], ...body } as T
}

const defaults = {
  Transaction: contractDefaults('transaction.avsc'),
  Label: contractDefaults('label.avsc'),
}

export const refusedRecord = ({ code, message }: Rejection): Refused => new Refused(400, code, message)
