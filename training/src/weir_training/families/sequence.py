"""Networks that read a customer's last payments as a sequence, the current one as its last step."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from onnx import helper, numpy_helper
from pydantic import Field

from weir_training.dataset import Rows
from weir_training.errors import TrainingError
from weir_training.families.base import ClassifierSettings, Family
from weir_training.families.network import FittedNetwork, NetworkSettings, begin, fit, kernel_of
from weir_training.normalise import Normaliser

if TYPE_CHECKING:
    import keras

STEP = re.compile(r"seq_(\d+)_(.+)")
"""How many payments back, and the channel."""


class SequenceSettings(NetworkSettings, ClassifierSettings):
    """How the sequence and the payment's own features become one score."""

    own_features: bool = Field(
        True, description="Whether the payment's own features join what was read from the sequence."
    )
    hidden: int = Field(64, ge=1, description="Units of the layer that both go through before the score.")
    rows_at_once: int = Field(64, ge=1, description="Rows of every call when the graph serves; a GPU wants more.")


@dataclass(frozen=True)
class SequenceNormaliser:
    """Scales a channel alike in all steps, and the payment's own features by column.

    Comes in as the payment's own columns and after them the steps, oldest first; goes out as the steps, with the
    payment's own columns behind them.

    Attributes
    ----------
    own, step : Normaliser
        Of the payment's own columns; of the channels of a step.
    """

    steps: int
    own: Normaliser
    step: Normaliser

    @classmethod
    def fit(cls, X: np.ndarray, steps: int, channels: int) -> "SequenceNormaliser":
        """Learn from rows, float32 with NaN for missing."""
        cells = steps * channels
        return cls(steps, Normaliser.fit(X[:, :-cells]), Normaliser.fit(X[:, -cells:].reshape(-1, channels)))

    @property
    def cells(self) -> int:
        """Columns that come out for the steps; the others are the payment's own."""
        return self.steps * self.step.width

    @property
    def width(self) -> int:
        """Columns that come out."""
        return self.cells + self.own.width

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Float32 rows without a missing value, shape (rows, width)."""
        own = len(self.own.median)
        steps = self.step(X[:, own:].reshape(-1, len(self.step.median)))
        return np.hstack([steps.reshape(len(X), self.cells), self.own(X[:, :own])])

    def nodes(self, source: str, target: str) -> tuple[list, list]:
        """Give the same as nodes and initialisers of a graph, from tensor `source` to tensor `target`."""
        columns, channels = len(self.own.median), len(self.step.median)
        own_nodes, own_constants = self.own.nodes("own", "own_normalised", "own_")
        step_nodes, step_constants = self.step.nodes("steps", "steps_normalised", "step_")
        node = helper.make_node
        nodes = [
            node("Split", [source, "split"], ["own", "flat_steps"], axis=1),
            *own_nodes,
            node("Reshape", ["flat_steps", "a_step_a_row"], ["steps"]),
            *step_nodes,
            node("Reshape", ["steps_normalised", "a_payment_a_row"], ["flat_normalised"]),
            node("Concat", ["flat_normalised", "own_normalised"], [target], axis=1),
        ]
        sizes = {
            "split": [columns, self.steps * channels],
            "a_step_a_row": [-1, channels],
            "a_payment_a_row": [-1, self.cells],
        }
        constants = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in sizes.items()]
        return nodes, [*constants, *own_constants, *step_constants]


class SequenceFamily(Family):
    """A network over the steps, whose result goes through a dense layer beside the payment's own features."""

    settings: type[SequenceSettings]
    needs_sequence = True

    def columns(self, available: list[str]) -> list[str]:
        """Take the payment's own columns, then those of the steps, oldest first.

        Raises
        ------
        TrainingError
            When there are no steps, or a step lacks a channel.
        """
        steps, channels = sequence_of(available)
        if not steps:
            raise TrainingError(
                f"{self.name} reads a customer's last payments, and the table has none: "
                "weir --set features=features-sequences.yaml export."
            )
        cells = [f"seq_{back}_{channel}" for back in reversed(range(steps)) for channel in channels]
        missing = [name for name in cells if name not in available]
        if missing:
            raise TrainingError(f"Every step needs every channel; the table lacks {', '.join(missing)}.")
        return super().columns(available) + cells

    @abstractmethod
    def read(
        self, keras: ModuleType, steps: "keras.KerasTensor", settings: SequenceSettings
    ) -> "keras.KerasTensor":
        """Add layers from [rows, steps, channels] to one vector a row."""

    def train(self, rows: Rows, validation: Rows | None, settings: SequenceSettings) -> FittedNetwork:
        steps, channels = sequence_of(rows.columns)
        normaliser = SequenceNormaliser.fit(rows.X, steps, len(channels))
        frauds = np.clip(rows.label.mean(), 1e-6, 1 - 1e-6)
        model = self._model(normaliser, float(frauds), settings)
        history = fit(
            model,
            (normaliser(rows.X), rows.label.astype(np.float32), settings.weights(rows.label)),
            None if validation is None else (normaliser(validation.X), validation.label.astype(np.float32)),
            "binary_crossentropy",
            settings,
        )
        return FittedNetwork(normaliser, model, (rows.X.shape[1],), history)

    def _model(self, normaliser: SequenceNormaliser, frauds: float, settings: SequenceSettings) -> "keras.Model":
        """Compose. The score begins at the share of frauds, so that no epoch is spent on finding it."""
        keras = begin(settings)
        layers, kernel = keras.layers, kernel_of(keras, settings)
        source = keras.Input((normaliser.width,))
        steps = layers.Reshape((normaliser.steps, normaliser.step.width))(source[:, : normaliser.cells])
        joined = self.read(keras, steps, settings)
        if settings.own_features:
            joined = layers.Concatenate()([joined, source[:, normaliser.cells :]])
        hidden = layers.Dense(settings.hidden, settings.activation, **kernel)(joined)
        begins = keras.initializers.Constant(np.log(frauds / (1 - frauds)))
        score = layers.Dense(1, "sigmoid", bias_initializer=begins, **kernel)
        return keras.Model(source, score(layers.Dropout(settings.dropout)(hidden)))


def sequence_of(columns: Sequence[str]) -> tuple[int, list[str]]:
    """How many steps, and the channels of one, in the order of the columns; 0 and none where there are none."""
    found = [match.groups() for match in map(STEP.fullmatch, columns) if match]
    return len({back for back, _ in found}), list(dict.fromkeys(channel for _, channel in found))
