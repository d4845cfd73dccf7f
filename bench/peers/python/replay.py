"""Features of payments from a file, one after the other: `replay.py OPTIONS PAYMENTS ROWS`, for the test.

PAYMENTS has Avro records as on the topic, each behind its length (int32, little-endian); ROWS gets float32.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import features
from batched import NEW, row_of
from job import Job, pack, unpack, vector


class Memory:
    """States without a store, packed and opened for each payment, as stores do."""

    def __init__(self) -> None:
        self._packed: dict[tuple[str, str], bytes] = {}
        self._open: dict[str, features.State] = {}

    def load(self, payment: features.Payment) -> None:
        """Open those of one payment."""
        self._open = {}
        for kind in NEW:
            packed = self._packed.get((kind, payment[f"{kind}_id"]))
            self._open[kind] = NEW[kind]() if packed is None else unpack(packed)

    def of(self, kind: str, payment: features.Payment) -> features.State | None:
        """As States has it."""
        return None if payment[f"{kind}_id"] is None else self._open[kind]

    def save(self, payment: features.Payment) -> None:
        """Pack them."""
        for kind, state in self._open.items():
            if payment[f"{kind}_id"] is not None:
                self._packed[(kind, payment[f"{kind}_id"])] = pack(state)


def main(options: str, payments: str, rows: str) -> None:
    """Compute the features of all payments."""
    job, states = Job(json.loads(options)), Memory()
    data = Path(payments).read_bytes()
    vectors, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        payment = job.payment(data[at + 4 : at + 4 + length])
        at += 4 + length
        states.load(payment)
        vectors.append(vector(row_of(job, states, payment, job.amount(payment))))
        states.save(payment)
    Path(rows).write_bytes(b"".join(vectors))


if __name__ == "__main__":
    main(*sys.argv[1:])
