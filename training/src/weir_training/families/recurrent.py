"""Recurrent networks: payment after payment they update what they remember of the customer."""

from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from weir_training.families.network import DESCENT, kernel_of
from weir_training.families.sequence import SequenceFamily, SequenceSettings
from weir_training.space import Space, between

if TYPE_CHECKING:
    import keras


class RecurrentSettings(SequenceSettings):
    """What is remembered."""

    units: int = Field(32, ge=1, description="Numbers that are remembered from payment to payment.")


class Recurrent(SequenceFamily):
    """The state after the last step, which is the current payment."""

    settings = RecurrentSettings
    space: ClassVar[Space] = DESCENT | {"units": between(8, 64, log=True), "hidden": between(16, 128, log=True)}
    layer: ClassVar[str]
    unroll: ClassVar[bool] = True
    """Whether the graph repeats the layer for every step: the converter else makes a slow loop."""

    def read(
        self, keras: ModuleType, steps: "keras.KerasTensor", settings: RecurrentSettings
    ) -> "keras.KerasTensor":
        layer = getattr(keras.layers, self.layer)
        return layer(settings.units, unroll=self.unroll, **kernel_of(keras, settings))(steps)


class Lstm(Recurrent):
    """Long short-term memory."""

    name = "lstm"
    title = "Recurrent network over the last payments (LSTM)"
    layer = "LSTM"
    unroll = False  # an operator of its own in ONNX


class Gru(Recurrent):
    """Gated recurrent units."""

    name = "gru"
    title = "Recurrent network over the last payments (GRU)"
    layer = "GRU"


class Rnn(Recurrent):
    """A layer that sees the step and what it remembered, without gates."""

    name = "rnn"
    title = "Recurrent network over the last payments (simple)"
    layer = "SimpleRNN"
