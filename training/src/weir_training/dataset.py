"""The rows of a study: what ``prepare`` writes to a run folder and every later step reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from weir_training.errors import TrainingError
from weir_training.files import to_json

LOOKUPS_FILE = "lookups.json"
"""In run folders and packages."""


@dataclass(frozen=True)
class Rows:
    """Rows of one period, in order of event time.

    Attributes
    ----------
    X : ndarray of float32, shape (rows, columns)
        NaN is missing.
    label : ndarray of bool
        Fraud as it was known when the next period began; for the test, at the export.
    frame : DataFrame
        What is not a feature: `transaction_id`, `event_time` (epoch milliseconds), `customer_id`, `fraud_type`,
        `known_time` (when the label became known, epoch milliseconds, `table.NEVER` if it did not);
        and where the table has them `amount` (major units of the reference currency), `merchant_id`,
        `merchant_name`, `mcc`, `terminal_id`, `channel`, `type`, `country`, `currency`, `description`.
    columns : sequence of str
        Names of the columns of `X`.
    """

    X: np.ndarray
    label: np.ndarray
    frame: pd.DataFrame
    columns: Sequence[str] = ()

    def take(self, rows: np.ndarray | slice) -> "Rows":
        """Pick some of the rows."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        return Rows(self.X[rows], self.label[rows], frame, self.columns)

    def narrow(self, places: list[int]) -> "Rows":
        """Pick columns of `X`."""
        columns = [self.columns[place] for place in places]
        return Rows(np.ascontiguousarray(self.X[:, places]), self.label, self.frame, columns)


@dataclass(frozen=True)
class Prepared:
    """A table cut into periods.

    Attributes
    ----------
    columns : list of str
        Names of the columns of `X`.
    validation : Rows or None
        None: calibration and fusion are fitted on out-of-fold scores of the training rows.
    periods : dict
        By name: `from`, `to` (before), `rows`, `frauds`, as on the model card.
    delay_days : int
        Between the end of a period and the next.
    lookups : str or None
        Text of lookups.json, for the package.
    """

    columns: list[str]
    feature_hash: str
    train: Rows
    validation: Rows | None
    test: Rows
    periods: dict[str, dict]
    delay_days: int
    lookups: str | None = None


def write_prepared(prepared: Prepared, folder: Path) -> None:
    """Write one Parquet file a period, periods.json, and lookups.json where there is one."""
    for name in ("train", "validation", "test"):
        rows: Rows | None = getattr(prepared, name)
        if rows is None:
            continue
        columns = {f"x.{column}": rows.X[:, i] for i, column in enumerate(prepared.columns)}
        table = pa.Table.from_pandas(rows.frame, preserve_index=False)
        for column, values in {"label": rows.label, **columns}.items():
            table = table.append_column(column, pa.array(values))
        pq.write_table(table, folder / f"{name}.parquet")
    about = {
        "feature_hash": prepared.feature_hash,
        "columns": prepared.columns,
        "delay_days": prepared.delay_days,
        "periods": prepared.periods,
    }
    (folder / "periods.json").write_text(to_json(about))
    if prepared.lookups is not None:
        (folder / LOOKUPS_FILE).write_text(prepared.lookups)


def read_prepared(run: Path) -> Prepared:
    """Read what ``prepare`` wrote.

    Raises
    ------
    TrainingError
        When `run` is no run folder.
    """
    folder = run / "prepared"
    try:
        about = json.loads((folder / "periods.json").read_text())
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{run} holds no prepared table. Make one: weir-training prepare --out {run}"
        ) from error
    rows = {
        name: _read_rows(folder / f"{name}.parquet", about["columns"]) for name in ("train", "validation", "test")
    }
    lookups = folder / LOOKUPS_FILE
    return Prepared(**about, **rows, lookups=lookups.read_text() if lookups.exists() else None)


def _read_rows(path: Path, columns: list[str]) -> Rows | None:
    if not path.exists():
        return None
    table = pq.read_table(path)
    X = np.column_stack([table[f"x.{column}"].to_numpy() for column in columns])
    frame = table.select([name for name in table.column_names if not name.startswith(("x.", "label"))]).to_pandas()
    return Rows(X.astype(np.float32, copy=False), table["label"].to_numpy(), frame, columns)
