"""What `python` and `quix` have in common: options, Avro, the model, and what is made of its scores."""

from __future__ import annotations

import json
import math
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgpack
import numpy as np
import onnxruntime

import features

Payment = features.Payment


def pack(state: features.State) -> bytes:
    """A state, or a payment on its way, as bytes."""
    return msgpack.packb(state)


def unpack(packed: bytes) -> Any:
    """What `pack` was given."""
    return msgpack.unpackb(packed, strict_map_key=False)


def vector(row: list[float]) -> bytes:
    """Columns as decisions carry them."""
    return struct.pack(f"<{len(row)}f", *row)


class Schema:
    """One Avro schema in Confluent wire format."""

    def __init__(self, folder: Path, file: str) -> None:
        ids = json.loads((folder / "ids.json").read_text())
        number = int(next(one for one, name in ids.items() if name == file))
        self._head = struct.pack(">bi", 0, number)
        self._schema = fastavro.parse_schema(plain(json.loads((folder / file).read_text())))

    def read(self, value: bytes) -> dict[str, Any]:
        """Decode a record."""
        if not value.startswith(self._head):
            raise ValueError(f"a record of another schema: {value[:5].hex()}")
        return fastavro.schemaless_reader(BytesIO(value[5:]), self._schema)

    def write(self, record: dict[str, Any]) -> bytes:
        """Encode a record; what it does not have gets the schema's default."""
        out = BytesIO()
        out.write(self._head)
        fastavro.schemaless_writer(out, self._schema, record)
        return out.getvalue()


def plain(schema: Any) -> Any:
    """Without logical types: times stay numbers, which datetime objects would only make dear."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key not in ("logicalType", "doc")}
    return [plain(one) for one in schema] if isinstance(schema, list) else schema


class Job:
    """The whole of a payment but its features."""

    def __init__(self, options: dict[str, Any]) -> None:
        manifest = json.loads((Path(options["package"]) / "model.json").read_text())
        if manifest["columns"] != features.NAMES:
            raise ValueError("the model package has other columns than features.py computes")
        (self._part,) = manifest["parts"]
        self._calibration, self._scale = self._part["calibration"], manifest["score_map"]
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            options["graph"], settings, providers=["CPUExecutionProvider"]
        )
        schemas = Path(options["schemas"])
        self._payments = Schema(schemas, "transaction.avsc")
        self._decisions = Schema(schemas, "decision.avsc")
        self._alerts = Schema(schemas, "alert.avsc")
        self._factors, self._currency = options["factors"], options["referenceCurrency"]
        self._thresholds = sorted(((least, name) for name, least in options["thresholds"].items()), reverse=True)
        self._alert_on, self._fixed = set(options["alertOn"]), options["decision"]
        self.payment = self._payments.read

    def amount(self, payment: Payment) -> float:
        """Whole hundredths of the reference currency."""
        return features.amount_of(payment, self._factors)

    def customer(self, state: features.State, payment: Payment, amount: float) -> list[float]:
        """Columns of the payment and its customer."""
        return features.customer(state, payment, amount, self._currency)

    def scores(self, vectors: list[bytes]) -> tuple[list[float], list[int]]:
        """Probabilities and risk scores, in one run of the model."""
        rows = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1)
        part = self._part
        (raw,) = self._session.run([part["output"]["name"]], {part["input"]["name"]: rows})
        raw = raw[:, part["output"]["column"]].astype(np.float64)
        scores = np.interp(raw, self._calibration["x"], self._calibration["y"])
        risks = np.floor(np.interp(scores, self._scale["x"], self._scale["y"]) + 0.5)
        return scores.tolist(), risks.astype(int).tolist()

    def answer(
        self, identity: str, payment: Payment, amount: float, vector: bytes, score: float, risk: int
    ) -> tuple[bytes, bytes | None]:
        """The decision, and the alert where one is due. Reasons are not asked of contestants."""
        outcome = next((name for least, name in self._thresholds if risk >= least), "approve")
        decision = {
            **self._fixed,
            "decision_id": identity,
            "transaction_id": payment["transaction_id"],
            "customer_id": payment["customer_id"],
            "event_time": payment["event_time"],
            "status": "scored",
            "outcome": outcome,
            "score": score,
            "risk_score": risk,
            "features": vector,
        }
        if outcome not in self._alert_on:
            return self._decisions.write(decision), None
        # The schema's defaults are for what is not in the record: what else is in it is not asked for.
        alert = {**payment, **decision, "alert_id": identity, "loss": score * amount / 100}
        return self._decisions.write(decision), self._alerts.write(alert)


def missing(columns: int) -> list[float]:
    """Columns of a terminal or device that the payment does not have."""
    return [math.nan] * columns
