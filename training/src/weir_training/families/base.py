"""What every family of models has in common."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from weir_training.dataset import Rows
from weir_training.errors import TrainingError
from weir_training.space import Space

THREADS = 2
"""Fixed: sums depend on it, and the same table must give the same model."""


class Settings(BaseModel):
    """Every knob of a family. None is hidden: what a library does not let one set is no knob."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(7, description="Where chance is needed: the same seed gives the same model.")
    columns: list[str] | None = Field(None, description="Columns to read; none: all that the family can.")


class ClassifierSettings(Settings):
    """What all have that learn from labels."""

    fraud_weight: float = Field(
        1.0, gt=0, description="Weight of a fraud row; 1 keeps raw scores near probabilities."
    )

    def weights(self, label: np.ndarray) -> np.ndarray:
        """Weight of each row: `fraud_weight` for frauds, 1 for others."""
        return np.where(label, self.fraud_weight, 1.0)


class Fitted(ABC):
    """A trained model.

    Attributes
    ----------
    shape : tuple of int
        Of one row of the ONNX input: ``(columns,)``, or ``(steps, channels)``.
    history : dict of str to list of float
        Losses by round or epoch; empty where training has no rounds.
    """

    shape: tuple[int, ...]
    history: dict[str, list[float]]

    @abstractmethod
    def raw(self, X: np.ndarray) -> np.ndarray:
        """Score rows; float64, higher is more suspicious, near a probability for a classifier.

        Parameters
        ----------
        X : ndarray of float32, shape (rows, columns)
            NaN is missing.
        """

    @abstractmethod
    def to_onnx(self) -> bytes:
        """Export: a float32 input [rows, *shape], NaN allowed; the score is the last column of the last output."""

    def importance(self) -> np.ndarray | None:
        """Share of each column in what the model does, or None where the family has no such measure."""
        return None

    def trees(self) -> str | None:
        """Text of a LightGBM booster, for exact contributions; None where the family has no such."""
        return None


class Family(ABC):
    """A kind of model.

    Attributes
    ----------
    name : str
        As on the command line and in packages.
    title : str
        For people.
    kind : str
        `classifier` learns from labels; `anomaly` does not look at them.
    settings : type of Settings
    needs_sequence : bool
        Whether it reads the `seq_` columns, which a table may be without.
    rows_at_once : int or None
        See docs/models.md; networks need it, since a matrix product may sum in another order for another number of
        rows.
    space : dict
        What a parameter search tries, unless a recipe says otherwise; the defaults lie inside.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[Literal["classifier", "anomaly"]] = "classifier"
    settings: ClassVar[type[Settings]]
    needs_sequence: ClassVar[bool] = False
    rows_at_once: ClassVar[int | None] = None
    space: ClassVar[Space] = {}

    def columns(self, available: list[str]) -> list[str]:
        """Choose the columns that it reads, in the order of its input."""
        return [name for name in available if not name.startswith("seq_")]

    def columns_of(self, settings: Settings, available: list[str]) -> list[str]:
        """Choose those that the settings name, in the order of its input.

        Raises
        ------
        TrainingError
            When it cannot read one, or would read a part of a sequence.
        """
        columns = self.columns(available)
        if settings.columns is None:
            return columns
        unknown = [name for name in settings.columns if name not in columns]
        if unknown or not settings.columns:
            raise TrainingError(f"{self.name}.columns: it cannot read {', '.join(unknown) or 'no column'}.")
        left_out = [name for name in columns if name.startswith("seq_") and name not in settings.columns]
        if left_out:
            raise TrainingError(f"{self.name}.columns lacks {left_out[0]}: a sequence is read whole.")
        return [name for name in columns if name in settings.columns]

    @abstractmethod
    def train(self, rows: Rows, validation: Rows | None, settings: Settings) -> Fitted:
        """Learn.

        Parameters
        ----------
        rows : Rows
            `X` has the family's columns only, `columns` their names.
        validation : Rows or None
            For early stopping only; None: it does not stop early.
        """
