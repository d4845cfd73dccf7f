"""The contestant `python`: confluent-kafka, redis-py and ONNX Runtime, by batches, each in one transaction.

States are in Redis and not protected: what was written there before a transaction failed stays.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

import features
from job import Job, missing, pack, unpack, vector

NEW = {
    "customer": features.new_customer,
    "merchant": features.new_merchant,
    "terminal": features.new_terminal,
    "device": features.new_device,
}


class States:
    """The states of one batch: one MGET before, one MSET after."""

    def __init__(self, store: redis.Redis, group: str) -> None:
        self._store, self._group = store, group
        self._open: dict[str, features.State] = {}

    def load(self, payments: list[features.Payment]) -> None:
        """Fetch those of customers, merchants, terminals and devices."""
        wanted = {
            self._key(kind, identity): kind
            for payment in payments
            for kind in NEW
            if (identity := payment[f"{kind}_id"]) is not None
        }
        found = self._store.mget(list(wanted))
        self._open = {
            key: NEW[kind]() if packed is None else unpack(packed)
            for (key, kind), packed in zip(wanted.items(), found, strict=True)
        }

    def of(self, kind: str, payment: features.Payment) -> features.State | None:
        """None where the payment has no such party."""
        identity = payment[f"{kind}_id"]
        return None if identity is None else self._open[self._key(kind, identity)]

    def save(self) -> None:
        """Write all that were loaded."""
        self._store.mset({key: pack(state) for key, state in self._open.items()})

    def _key(self, kind: str, identity: str) -> str:
        return f"{self._group}:{kind}:{identity}"


def row_of(job: Job, states: States, payment: features.Payment, amount: float) -> list[float]:
    """All columns of a payment."""
    row = job.customer(states.of("customer", payment), payment, amount)
    row += features.merchant(states.of("merchant", payment), payment, amount)
    terminal, device = states.of("terminal", payment), states.of("device", payment)
    row += missing(features.AT_TERMINAL) if terminal is None else features.terminal(terminal, payment)
    row += missing(features.AT_DEVICE) if device is None else features.device(device, payment)
    return row


def decide(job: Job, states: States, messages: list[Message], options: dict[str, Any], producer: Producer) -> None:
    """Decide a batch and produce what comes of it."""
    payments = [job.payment(message.value()) for message in messages]
    states.load(payments)
    amounts = [job.amount(payment) for payment in payments]
    vectors = [
        vector(row_of(job, states, payment, amount)) for payment, amount in zip(payments, amounts, strict=True)
    ]
    scores, risks = job.scores(vectors)
    states.save()
    for message, *scored in zip(messages, payments, amounts, vectors, scores, risks, strict=True):
        partition = message.partition()
        identity = f"{message.topic()}-{partition}-{message.offset()}"
        decision, alert = job.answer(identity, *scored)
        producer.produce(options["output"], decision, message.key(), partition)
        if alert is not None:
            producer.produce(options["alerts"], alert, message.key(), partition)


def clients(options: dict[str, Any]) -> tuple[Consumer, Producer]:
    """Read what is committed, write in transactions."""
    servers = {"bootstrap.servers": ",".join(options["brokers"])}
    fetch = options["fetch"]
    consumer = Consumer(
        {
            **servers,
            "group.id": options["group"],
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.min.bytes": fetch["minBytes"],
            "fetch.wait.max.ms": fetch["maxWaitTimeInMs"],
            "max.partition.fetch.bytes": fetch["maxBytesPerPartition"],
            "fetch.max.bytes": fetch["maxBytes"],
        }
    )
    producer = Producer(
        {
            **servers,
            "transactional.id": options["group"],
            "linger.ms": 5,
            "queue.buffering.max.messages": 4 * options["batch"] + 1000,
        }
    )
    return consumer, producer


def main(options: dict[str, Any]) -> None:
    """Work until SIGTERM."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    job = Job(options)
    states = States(redis.Redis.from_url(options["redis"]), options["group"])
    consumer, producer = clients(options)
    producer.init_transactions()
    consumer.subscribe([options["input"]])
    while not stopping:
        messages = []
        for message in consumer.consume(options["batch"], options["waitMs"] / 1000):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
        if not messages:
            continue
        producer.begin_transaction()
        decide(job, states, messages, options, producer)
        positions = consumer.position(consumer.assignment())
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
        producer.commit_transaction()
    consumer.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
