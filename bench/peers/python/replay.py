"""Features of payments from a file, one after the other: `replay.py OPTIONS PAYMENTS ROWS`, for the test.

PAYMENTS has Avro records as on the topic, each behind its length (int32, little-endian); ROWS gets float32.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import features
from batched import NEW, keys_of, row_of
from job import Job, pack, unpack, vector


def opened(packed: dict[str, bytes], key: str | None, make: Callable[[], features.State]) -> features.State | None:
    """Packed and opened for each payment, as stores do."""
    if key is None:
        return None
    return unpack(packed[key]) if key in packed else make()


def main(options: str, payments: str, rows: str) -> None:
    """Compute the features of all payments."""
    job = Job(json.loads(options))
    packed: dict[str, bytes] = {}
    data = Path(payments).read_bytes()
    vectors, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        payment = job.payment(data[at + 4 : at + 4 + length])
        at += 4 + length
        keys = keys_of(payment)
        past = [opened(packed, key, make) for key, make in zip(keys, NEW.values(), strict=True)]
        vectors.append(vector(row_of(job, past, payment, job.amount(payment))))
        packed.update((key, pack(state)) for key, state in zip(keys, past, strict=True) if key is not None)
    Path(rows).write_bytes(b"".join(vectors))


if __name__ == "__main__":
    main(*sys.argv[1:])
