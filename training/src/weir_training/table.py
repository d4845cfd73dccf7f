"""The training table: what ``weir export`` writes, read and checked."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from weir_training.dataset import Rows
from weir_training.errors import TrainingError
from weir_training.split import Period

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
    label : ndarray of bool
        Fraud, as known when the table was exported.
    known_time : ndarray of int64
        When the label became known, epoch milliseconds, `NEVER` if it did not.
    frame : DataFrame
        See `weir_training.dataset.Rows.frame`.
    lookups : str or None
        Text of the lookups.json that the last columns were looked up in.
    """

    features: np.ndarray
    columns: list[str]
    feature_hash: str
    label: np.ndarray
    known_time: np.ndarray
    frame: pd.DataFrame
    lookups: str | None = None

    @property
    def event_time(self) -> np.ndarray:
        """Epoch milliseconds, ascending."""
        return self.frame["event_time"].to_numpy()

    def rows_of(self, period: Period) -> Rows:
        """Rows of a period with the labels that were known in time."""
        first, last = np.searchsorted(self.event_time, [period.start, period.end])
        rows = slice(int(first), int(last))
        label = self.label if period.known_by is None else self.label & (self.known_time <= period.known_by)
        frame = self.frame.iloc[rows].reset_index(drop=True).assign(known_time=self.known_time[rows])
        return Rows(self.features[rows], label[rows], frame, self.columns)


REQUIRED = {
    "transaction_id": "string",
    "event_time": "int64",
    "customer_id": "string",
    "label": "bool",
    "label_known_time": "int64",
    "fraud_type": "string",
}


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
    types = dict.fromkeys(columns, "float") | REQUIRED
    missing = [name for name in types if name not in table.column_names]
    if missing:
        raise TrainingError(f"{path} lacks the columns {', '.join(missing)}. Export it again.")
    for name, type_ in types.items():
        if str(table.schema.field(name).type) != type_:
            found = table.schema.field(name).type
            raise TrainingError(f"Column {name} of {path} is {found}, should be {type_}. Export it again.")
    if table["label"].null_count > 0:
        raise TrainingError(
            f"Column label of {path} has {table['label'].null_count} empty cells. Export it again."
        )
    order = np.argsort(table["event_time"].to_numpy(), kind="stable")
    features = np.column_stack([table[name].to_numpy() for name in columns])
    names = {"transaction_id", "event_time", "customer_id", "fraud_type"}
    names |= {name for name in table.column_names if name.startswith("tx_")}
    frame = table.select([name for name in table.column_names if name in names]).to_pandas()
    return Table(
        features=features[order],
        columns=columns,
        feature_hash=metadata[b"weir.feature_hash"].decode(),
        label=table["label"].to_numpy()[order],
        known_time=table["label_known_time"].fill_null(NEVER).to_numpy()[order],
        frame=frame.rename(columns=lambda name: name.removeprefix("tx_")).iloc[order].reset_index(drop=True),
        lookups=metadata[b"weir.lookups"].decode() if b"weir.lookups" in metadata else None,
    )
