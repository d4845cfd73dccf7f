/** Why a connection by TLS was refused, and what mends it. */
export interface TlsFailure {
  readonly reason: string
  readonly cure: string
}

const unknownAuthority =
  /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?)$/

/** Alerts of RFC 8446 section 6.2 that servers send about the certificate of a client; names as OpenSSL spells them. */
const clientRefused =
  /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|HANDSHAKE_FAILURE)$/

/**
 * What Node.js says of TLS, in words; undefined of any other failure.
 *
 * @param section of the configuration that the connection is made from.
 */
export function tlsFailure(error: unknown, section: 'kafka' | 'redis'): TlsFailure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const found = ofCode(String((cause as NodeJS.ErrnoException).code), `${section}.tls`, section)
    if (found !== undefined) return found
  }
  return undefined
}

function ofCode(code: string, tls: string, section: string): TlsFailure | undefined {
  if (unknownAuthority.test(code)) {
    return {
      reason: 'the certificate of the server is of an authority that is not trusted',
      cure: `Name the authority of the server in ${tls}.ca_file.`,
    }
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const when = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'
    return {
      reason: `the certificate of the server ${when}`,
      cure: 'Renew it on the server, or set the clock of this machine right.',
    }
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const address =
      section === 'kafka'
        ? 'kafka.brokers and advertised.listeners'
        : 'redis.url (or redis.cluster_nodes, and what these call each other)'
    return {
      reason: 'the certificate of the server is for other names than the one that it was reached by',
      cure: `Use a name of the certificate in ${address}, or add this one to the certificate.`,
    }
  }
  if (clientRefused.test(code)) {
    return {
      reason: 'the server demands a client certificate that it trusts',
      cure: `Set ${tls}.cert_file and ${tls}.key_file to a valid certificate of an authority that the server trusts.`,
    }
  }
  return undefined
}
