"""The training table: what ``weir export`` writes, read and checked."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from weir_training.errors import TrainingError

NEVER = np.iinfo(np.int64).max
"""`label_known_time` of a row about which nothing was ever reported."""


@dataclass(frozen=True)
class Table:
    """Rows in order of event time.

    Attributes
    ----------
    features : ndarray of float32, shape (rows, columns)
        As they were at the moment of the decision; NaN is missing.
    columns : list of str
        Names of the feature columns, in the order of the model's input.
    feature_hash : str
        Names the feature definitions; a model serves only where they are the same.
    event_time, known_time : ndarray of int64
        Epoch milliseconds; `known_time` is when the label became known, `NEVER` if it did not.
    label : ndarray of bool
        Fraud, as known when the table was exported.
    fraud_type : ndarray of object
        str, or None where there is none.
    """

    features: np.ndarray
    columns: list[str]
    feature_hash: str
    event_time: np.ndarray
    label: np.ndarray
    known_time: np.ndarray
    fraud_type: np.ndarray

    def label_at(self, moment: int) -> np.ndarray:
        """Labels as they were known at `moment` (epoch milliseconds)."""
        return self.label & (self.known_time <= moment)


def read_table(path: Path) -> Table:
    """Read an export and refuse one that is not what it says.

    Raises
    ------
    TrainingError
        When metadata or columns are missing, or a column has another type than weir exports.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise TrainingError(f"Cannot read {path}: {error}. Write it with `weir export`.") from error
    metadata = table.schema.metadata or {}
    if b"weir.feature_hash" not in metadata or b"weir.features" not in metadata:
        raise TrainingError(f"{path} does not say which features it holds. Write it with `weir export`.")
    columns = json.loads(metadata[b"weir.features"])
    types = dict.fromkeys(columns, "float") | {
        "event_time": "int64",
        "label": "bool",
        "label_known_time": "int64",
        "fraud_type": "string",
    }
    missing = [name for name in types if name not in table.column_names]
    if missing:
        raise TrainingError(f"{path} lacks the columns {', '.join(missing)}. Export it again.")
    for name, type_ in types.items():
        if str(table.schema.field(name).type) != type_:
            found = table.schema.field(name).type
            raise TrainingError(f"Column {name} of {path} is {found}, should be {type_}. Export it again.")
    event_time = table["event_time"].to_numpy()
    order = np.argsort(event_time, kind="stable")
    features = np.column_stack([table[name].to_numpy() for name in columns])
    return Table(
        features=features[order],
        columns=columns,
        feature_hash=metadata[b"weir.feature_hash"].decode(),
        event_time=event_time[order],
        label=table["label"].to_numpy()[order],
        known_time=table["label_known_time"].fill_null(NEVER).to_numpy()[order],
        fraud_type=np.array(table["fraud_type"].to_pylist(), dtype=object)[order],
    )
