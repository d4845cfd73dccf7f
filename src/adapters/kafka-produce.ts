import { type BatchedRecord, batchHeaderBytes, recordMeter, writeBatch } from './kafka-records.ts'

/** What kafkajs asks a produce request for. Weir's producers compress nothing and want all replicas. */
interface Produce {
  readonly acks: number
  /** Milliseconds. */
  readonly timeout: number
  readonly transactionalId?: string | undefined
  readonly producerId: string | number
  readonly producerEpoch: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly firstSequence: number
      readonly messages: readonly BatchedRecord[]
    }[]
  }[]
}

/** An encoder, as far as kafkajs looks at it, with room for a header before its bytes. */
export interface RoomyBytes {
  readonly buf: Buffer
  readonly buffer: Buffer
  /** Free bytes before `buffer` in the same memory. */
  readonly room: number
}

/** For kafkajs's two headers of a request, with a client id of at most some 230 bytes. */
const headroom = 256
const produceKey = 0

/**
 * The produce request of kafkajs (version 3 to 7, which are alike on the wire), written once and into one buffer. Its
 * own makes a buffer for each record and copies every byte some nine times on the way to the socket.
 */
export function produceRequest(asked: Produce) {
  return {
    apiKey: produceKey,
    apiVersion: 3,
    apiName: 'Produce',
    expectResponse: () => asked.acks !== 0,
    encode: async () => encode(asked),
  }
}

function encode({
  acks,
  timeout,
  transactionalId,
  producerId,
  producerEpoch,
  topicData,
}: Produce): RoomyBytes {
  const buf = Buffer.allocUnsafe(headroom + mostRequestBytes(transactionalId, topicData))
  let at = writeText(buf, headroom, transactionalId)
  at = buf.writeInt16BE(acks, at)
  at = buf.writeInt32BE(timeout, at)
  at = buf.writeInt32BE(topicData.length, at)
  const now = Date.now()
  for (const { topic, partitions } of topicData) {
    at = buf.writeInt32BE(partitions.length, writeText(buf, at, topic))
    for (const { partition, firstSequence, messages: records } of partitions) {
      refuseTwice(`${topic}-${partition}`, records, firstSequence)
      at = buf.writeInt32BE(partition, at)
      const end = writeBatch(buf, at + 4, {
        records,
        transactional: Boolean(transactionalId),
        producerId: BigInt(producerId),
        producerEpoch,
        firstSequence,
        now,
      })
      buf.writeInt32BE(end - at - 4, at)
      at = end
    }
  }
  const buffer = buf.subarray(headroom, at)
  return { buf: buffer, buffer, room: headroom }
}

/** Under which number the first of the records of a partition was sent. */
const sentUnder = new WeakMap<readonly BatchedRecord[], number>()

/**
 * When a broker fails, kafkajs sends all that it has no answer for again, to whoever leads now: also what another broker
 * is still writing, or has written as the leader of before. Under the number that they had records are told from new
 * ones; under the next they would be there twice, in one transaction.
 */
function refuseTwice(at: string, records: readonly BatchedRecord[], firstSequence: number): void {
  const before = sentUnder.get(records) ?? firstSequence
  if (before !== firstSequence) {
    throw new Error(`records for ${at} were sent as ${before}, and would be there twice as ${firstSequence}`)
  }
  sentUnder.set(records, firstSequence)
}

function mostRequestBytes(
  transactionalId: Produce['transactionalId'],
  topicData: Produce['topicData'],
): number {
  const measure = recordMeter()
  let bytes = 12 + 3 * (transactionalId?.length ?? 0)
  for (const { topic, partitions } of topicData) {
    bytes += 6 + 3 * topic.length
    for (const { messages } of partitions) {
      bytes += 8 + batchHeaderBytes
      for (const message of messages) bytes += measure(message)
    }
  }
  return bytes
}

function writeText(buf: Buffer, from: number, text: string | undefined): number {
  if (text === undefined) return buf.writeInt16BE(-1, from)
  const size = buf.write(text, from + 2)
  buf.writeInt16BE(size, from)
  return from + 2 + size
}
