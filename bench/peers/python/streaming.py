"""The contestant `quix`: Quix Streams, states in RocksDB that changelogs protect, exactly-once processing.

State belongs to the key of a record there, and so a payment passes three topics: the input by customer, one by
merchant and, where it has a device, one by device. Terminals are kept with their merchant. The model runs once for
each payment, as Quix Streams hands them over one by one.
"""

from __future__ import annotations

import json
import sys
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from quixstreams import Application, State, message_context
from quixstreams.models import Deserializer, SerializationContext, Serializer, TopicConfig

import features
from job import Job, missing, pack, unpack, vector


class OnItsWay(NamedTuple):
    """A payment between two topics, with the columns that are known of it so far."""

    identity: str
    payment: features.Payment
    amount: float
    columns: bytes


class Answer(NamedTuple):
    """What is written of a payment."""

    customer: str
    decision: bytes
    alert: bytes | None


class Packer(Serializer):
    """Of payments on their way."""

    def __call__(self, value: OnItsWay, ctx: SerializationContext) -> bytes:
        """To msgpack."""
        return pack(value)


class Unpacker(Deserializer):
    """Of payments on their way."""

    def __call__(self, value: bytes, ctx: SerializationContext) -> OnItsWay:
        """From msgpack."""
        return OnItsWay(*unpack(value))


class Part(Serializer):
    """One field of an answer."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __call__(self, value: Answer, ctx: SerializationContext) -> bytes:
        """It is encoded already."""
        return getattr(value, self._field)


class Steps:
    """What is done with a payment on each topic."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def customer(self, record: bytes, state: State) -> OnItsWay:
        """Columns of the payment and its customer."""
        payment = self._job.payment(record)
        amount = self._job.amount(payment)
        past = opened(state, "customer") or features.new_customer()
        columns = vector(self._job.customer(past, payment, amount))
        state.set_bytes("customer", pack(past))
        at = message_context()
        return OnItsWay(f"{at.topic}-{at.partition}-{at.offset}", payment, amount, columns)

    def merchant(self, one: OnItsWay, state: State) -> OnItsWay:
        """Columns of its merchant and terminal."""
        past = opened(state, "merchant") or features.new_merchant()
        row = features.merchant(past, one.payment, one.amount)
        state.set_bytes("merchant", pack(past))
        terminal = one.payment["terminal_id"]
        if terminal is None:
            row += missing(features.AT_TERMINAL)
        else:
            key = f"terminal:{terminal}"
            past = opened(state, key) or features.new_terminal()
            row += features.terminal(past, one.payment)
            state.set_bytes(key, pack(past))
        return one._replace(columns=one.columns + vector(row))

    def device(self, one: OnItsWay, state: State) -> OnItsWay:
        """Columns of its device."""
        past = opened(state, "device") or features.new_device()
        row = features.device(past, one.payment)
        state.set_bytes("device", pack(past))
        return one._replace(columns=one.columns + vector(row))

    def no_device(self, one: OnItsWay) -> OnItsWay:
        """The columns that are missing then."""
        return one._replace(columns=one.columns + vector(missing(features.AT_DEVICE)))

    def decide(self, one: OnItsWay) -> Answer:
        """Score it and make an outcome of that."""
        [score], [risk] = self._job.scores([one.columns])
        answer = self._job.answer(one.identity, one.payment, one.amount, one.columns, score, risk)
        return Answer(one.payment["customer_id"], *answer)


def opened(state: State, key: str) -> features.State | None:
    """None where there is no such state yet."""
    packed = state.get_bytes(key)
    return None if packed is None else unpack(packed)


def application(options: dict[str, Any], folder: str) -> Application:
    """The settings."""
    fetch = options["fetch"]
    return Application(
        ",".join(options["brokers"]),
        consumer_group=options["group"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=options["batch"],
        commit_interval=options["commitMs"] / 1000,
        consumer_poll_timeout=options["commitMs"] / 1000,
        state_dir=folder,
        loglevel="WARNING",
        consumer_extra_config={
            "fetch.min.bytes": fetch["minBytes"],
            "fetch.wait.max.ms": fetch["maxWaitTimeInMs"],
            "max.partition.fetch.bytes": fetch["maxBytesPerPartition"],
            "fetch.max.bytes": fetch["maxBytes"],
        },
    )


def topology(app: Application, options: dict[str, Any]) -> None:
    """From payments to decisions."""
    steps, group = Steps(Job(options)), options["group"]
    config = TopicConfig(num_partitions=options["partitions"], replication_factor=1)

    def between(name: str) -> Any:
        return app.topic(
            f"{group}.{name}",
            value_serializer=Packer(),
            value_deserializer=Unpacker(),
            key_serializer="str",
            config=config,
        )

    payments = app.topic(options["input"], value_deserializer="bytes")
    by_merchant, by_device = between("by-merchant"), between("by-device")
    decisions = app.topic(options["output"], value_serializer=Part("decision"), key_serializer="str")
    alerts = app.topic(options["alerts"], value_serializer=Part("alert"), key_serializer="str")

    def answer(stream: Any) -> None:
        answers = stream.apply(steps.decide)
        answers.to_topic(decisions, key=lambda one: one.customer)
        answers.filter(lambda one: one.alert is not None).to_topic(alerts, key=lambda one: one.customer)

    own = app.dataframe(payments).apply(steps.customer, stateful=True)
    own.to_topic(by_merchant, key=lambda one: one.payment["merchant_id"])
    known = app.dataframe(by_merchant).apply(steps.merchant, stateful=True)
    with_device = known.filter(lambda one: one.payment["device_id"] is not None)
    with_device.to_topic(by_device, key=lambda one: one.payment["device_id"])
    answer(app.dataframe(by_device).apply(steps.device, stateful=True))
    answer(known.filter(lambda one: one.payment["device_id"] is None).apply(steps.no_device))


def main(options: dict[str, Any]) -> None:
    """Work until SIGTERM."""
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        app = application(options, folder)
        topology(app, options)
        app.run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
