"""What all lookup tables have in common, and their file. Format: docs/models.md."""

import base64
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from weir_training.errors import TrainingError

COLUMN_OF = {
    "customer_id": "customer_id",
    "merchant_id": "merchant_id",
    "terminal_id": "terminal_id",
    "mcc": "mcc",
    "word": "description",
}
"""Column of the payments that a table's key is found in."""


class LookupSettings(BaseModel):
    """How many keys a table has: its size in the package goes with them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(7, description="Where chance is needed: the same seed gives the same tables.")
    minimum_count: int = Field(5, ge=1, description="Payments that a key is seen in at least; others are unseen.")
    most_keys: int = Field(50_000, ge=1, description="Keys of a table at most, the most frequent.")

    def frequent(self, keys: pd.Series) -> list[str]:
        """Keys that are worth a row, the most frequent first."""
        counts = keys.value_counts().rename_axis("key").reset_index(name="count")
        counts = counts[counts["count"] >= self.minimum_count].sort_values(
            ["count", "key"], ascending=[False, True]
        )
        return counts["key"].head(self.most_keys).tolist()


@dataclass(frozen=True)
class LookupTable:
    """Vectors by key.

    Attributes
    ----------
    key : str
        One of `COLUMN_OF`.
    keys : list of str
        The most frequent first.
    values : ndarray of float32, shape (keys, dimensions)
    default : ndarray of float32, shape (dimensions,), or None
        For a key that was never seen; None: its columns are missing.
    """

    key: str
    keys: list[str]
    values: np.ndarray
    default: np.ndarray | None = None


@dataclass(frozen=True)
class Learned:
    """Tables by name, and the columns that are looked up in them, as the file has them."""

    tables: dict[str, LookupTable]
    columns: list[dict]


class Learner(ABC):
    """Something that makes tables of payments. It sees no label and no feature.

    Attributes
    ----------
    name : str
        As on the command line and in recipes.
    needs : tuple of str
        Columns of the payments, as `weir_training.dataset.Rows.frame` names them.
    settings : type of Settings
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    settings: ClassVar[type[LookupSettings]]

    @abstractmethod
    def learn(self, payments: pd.DataFrame, settings: LookupSettings) -> Learned | None:
        """Learn.

        Parameters
        ----------
        payments : DataFrame
            In order of event time.

        Returns
        -------
        Learned or None
            None where there is nothing to learn from.
        """


def write_lookups(learned: Learned, about: dict) -> str:
    """Text of the file.

    Parameters
    ----------
    about : dict
        `from`, `to` (before), `payments`: what the tables were learned from.
    """
    tables = {
        name: {
            "key": table.key,
            "keys": table.keys,
            "dimensions": table.values.shape[1],
            "values": base64.b64encode(table.values.astype("<f4").tobytes()).decode(),
            "default": None if table.default is None else table.default.astype(np.float32).tolist(),
        }
        for name, table in learned.tables.items()
    }
    file = {"format": 1, "learned": about, "tables": tables, "columns": learned.columns}
    return json.dumps(file, ensure_ascii=False, allow_nan=False) + "\n"


def read_lookups(path: Path) -> tuple[Learned, dict]:
    """Read what `write_lookups` wrote: tables and columns, and what they were learned from.

    Raises
    ------
    TrainingError
        When it is no such file.
    """
    try:
        file = json.loads(path.read_text())
        tables = {
            name: LookupTable(
                table["key"],
                table["keys"],
                np.frombuffer(base64.b64decode(table["values"]), "<f4").reshape(-1, table["dimensions"]),
                None if table["default"] is None else np.array(table["default"], dtype=np.float32),
            )
            for name, table in file["tables"].items()
        }
        return Learned(tables, file["columns"]), file["learned"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} holds no lookups. Make them: weir-training learn --out {path}") from error
