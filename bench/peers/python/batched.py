"""The contestant `python`: confluent-kafka, redis-py and ONNX Runtime, by batches, each in one transaction.

States are in Redis and not protected: what was written there before a transaction failed stays.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import Any

import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

import features
from job import Job, missing, pack, unpack, vector

#: By party, what is not known yet: the order of a Past.
NEW: dict[str, Callable[[], features.State]] = {
    "customer": features.new_customer,
    "merchant": features.new_merchant,
    "terminal": features.new_terminal,
    "device": features.new_device,
}

#: The states that a payment belongs to; None where it has no such party.
Past = list[features.State | None]


def keys_of(payment: features.Payment) -> list[str | None]:
    """Of the states in a Past."""
    return [None if (identity := payment[f"{kind}_id"]) is None else f"{kind}:{identity}" for kind in NEW]


class States:
    """The states of one batch: one MGET before, one MSET after."""

    def __init__(self, store: redis.Redis, group: str) -> None:
        self._store, self._group = store, group
        self._open: dict[str, features.State] = {}

    def load(self, payments: list[features.Payment]) -> list[Past]:
        """Fetch those of customers, merchants, terminals and devices."""
        keys = [keys_of(payment) for payment in payments]
        new = {key: make for one in keys for key, make in zip(one, NEW.values(), strict=True) if key is not None}
        found = self._store.mget([f"{self._group}:{key}" for key in new])
        self._open = {
            key: make() if packed is None else unpack(packed)
            for (key, make), packed in zip(new.items(), found, strict=True)
        }
        return [[None if key is None else self._open[key] for key in one] for one in keys]

    def save(self) -> None:
        """Write all that were loaded."""
        self._store.mset({f"{self._group}:{key}": pack(state) for key, state in self._open.items()})


def row_of(job: Job, past: Past, payment: features.Payment, amount: float) -> list[float]:
    """All columns of a payment, which becomes part of its past."""
    customer, merchant, terminal, device = past
    row = job.customer(customer, payment, amount)
    row += features.merchant(merchant, payment, amount)
    row += missing(features.AT_TERMINAL) if terminal is None else features.terminal(terminal, payment)
    row += missing(features.AT_DEVICE) if device is None else features.device(device, payment)
    return row


def decide(job: Job, states: States, messages: list[Message], options: dict[str, Any], producer: Producer) -> None:
    """Decide a batch and produce what comes of it."""
    payments = [job.payment(message.value()) for message in messages]
    amounts = [job.amount(payment) for payment in payments]
    vectors = [
        vector(row_of(job, past, payment, amount))
        for past, payment, amount in zip(states.load(payments), payments, amounts, strict=True)
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
