"""Autoencoder: how badly a payment is drawn again from a few numbers."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from weir_training.dataset import Rows
from weir_training.families.base import Family
from weir_training.families.network import (
    DESCENT,
    PREDICTED_AT_ONCE,
    FittedNetwork,
    NetworkSettings,
    begin,
    fit,
    kernel_of,
)
from weir_training.normalise import Normaliser
from weir_training.space import Space, between

LEAST = 1e-3
"""Mean squared error that a column counts as drawn with at least: what never varies would weigh without end."""


class AutoencoderSettings(NetworkSettings):
    """The layers and the waist between them, which holds it back enough."""

    hidden: int = Field(48, ge=1, description="Units of the layer before the waist, and of the one after it.")
    waist: int = Field(12, ge=1, description="Numbers that a payment has to pass through.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of a layer's values that a step leaves out.")


class Autoencoder(Family):
    """Learns to draw a payment again from a few numbers, without looking at labels.

    What it saw often it draws well. A column's error is the square of its difference, over what that was on
    average; e is the mean over the columns. The raw score is e / (1 + e): 0.5 is ordinary, near 1 is odd.

    References
    ----------
    S. Hawkins, H. He, G. Williams, R. Baxter: Outlier detection using replicator neural networks. DaWaK 2002.
    """

    name = "autoencoder"
    title = "Autoencoder"
    kind = "anomaly"
    settings = AutoencoderSettings
    space: ClassVar[Space] = DESCENT | {"hidden": between(16, 96, log=True), "waist": between(2, 24, log=True)}
    rows_at_once = 64

    def train(self, rows: Rows, validation: Rows | None, settings: AutoencoderSettings) -> FittedNetwork:
        normaliser = Normaliser.fit(rows.X)
        keras, X = begin(settings), normaliser(rows.X)
        layers, kernel = keras.layers, kernel_of(keras, settings)
        source = keras.Input((normaliser.width,))
        encoded = layers.Dense(settings.hidden, settings.activation, **kernel)(source)
        waist = layers.Dense(settings.waist, **kernel)(layers.Dropout(settings.dropout)(encoded))
        decoded = layers.Dense(settings.hidden, settings.activation, **kernel)(waist)
        drawn = layers.Dense(normaliser.width, **kernel)(decoded)
        model = keras.Model(source, drawn)
        held = None if validation is None else normaliser(validation.X)
        history = fit(model, (X, X), None if held is None else (held, held), "mean_squared_error", settings)
        squares = (X - model.predict(X, batch_size=PREDICTED_AT_ONCE, verbose=0)) ** 2
        usual = np.maximum(squares.mean(axis=0, dtype=np.float64), LEAST).astype(np.float32)
        error = keras.ops.mean(keras.ops.square(source - drawn) / usual, axis=1, keepdims=True)
        scoring = keras.Model(source, error / (1 + error))
        return FittedNetwork(normaliser, scoring, (rows.X.shape[1],), history)
