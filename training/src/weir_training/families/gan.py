"""Trees that learn from more frauds than there are: the others are made by a generative adversarial network."""

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from weir_training.dataset import Rows
from weir_training.errors import TrainingError
from weir_training.families.lightgbm import FittedLightGbm, LightGbm, LightGbmSettings
from weir_training.families.network import Device, begin, device_of
from weir_training.space import Space, between

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

LEAST_FRAUDS = 10
SHOWN = 50
"""Points of the history of the adversaries."""


class GanSettings(LightGbmSettings):
    """The trees, and before them the two networks that make rows for them."""

    made_share: float = Field(1.0, gt=0, description="Fraud rows made, for each one that there is.")
    steps: int = Field(1500, ge=1, description="Steps of the generator.")
    critic_steps: int = Field(3, ge=1, description="Steps of the critic for each one of the generator.")
    batch_rows: int = Field(128, ge=2, description="Rows a step.")
    noise: int = Field(32, ge=1, description="Random numbers that a row is made from.")
    hidden: int = Field(128, ge=1, description="Units of each of the two hidden layers of either network.")
    adversary_rate: float = Field(2e-4, gt=0, description="Length of a step of either network.")
    gradient_penalty: float = Field(10.0, ge=0, description="What it costs the critic when its slope is not 1.")
    device: Device = Field("cpu", description="Where the networks train; cpu where there is no such.")


class Gan(LightGbm):
    """Boosted trees on the rows and, beside them, fraud rows that a network made after the true ones.

    Only the training rows that are known to be fraud are looked at, within each fold of its own, and calibration
    sees true rows only: so this is the family `lightgbm` in all but the rows that were made.
    """

    name = "gan"
    title = "Gradient-boosted trees (LightGBM) with fraud rows made by a GAN"
    settings = GanSettings
    space: ClassVar[Space] = LightGbm.space | {"made_share": between(0.1, 4.0, log=True)}

    def train(self, rows: Rows, validation: Rows | None, settings: GanSettings) -> FittedLightGbm:
        made, history = make_rows(rows.X[rows.label], settings)
        more = replace(
            rows,
            X=np.vstack([rows.X, made]),
            label=np.append(rows.label, np.ones(len(made), dtype=bool)),
            frame=rows.frame.reindex(range(len(rows.X) + len(made))),
        )
        fitted = super().train(more, validation, settings)
        return replace(fitted, history=fitted.history | history)


def make_rows(X: np.ndarray, settings: GanSettings) -> tuple[np.ndarray, dict[str, list[float]]]:
    """Make rows like those that are given.

    The networks see each cell as its rank within the column, missing lowest and equal values in an order drawn at
    random; a rank that was made becomes the value that has it. So a column has no value that was not seen, and
    what the networks learn is how the columns go together.

    Returns
    -------
    ndarray of float32, shape (made, columns), dict
        The rows, and how far apart the critic found true and made ones over the course of training.

    Raises
    ------
    TrainingError
        When there are too few rows.

    References
    ----------
    I. Gulrajani et al.: Improved training of Wasserstein GANs. NeurIPS 2017.
    """
    if len(X) < LEAST_FRAUDS:
        raise TrainingError(
            f"gan has {len(X)} fraud rows to learn from and needs {LEAST_FRAUDS}. Train on more days."
        )
    rng = np.random.default_rng(settings.seed)
    filled = np.where(np.isnan(X), -np.inf, X)
    order = np.lexsort((rng.random(X.shape), filled), axis=0)
    ranks = np.argsort(order, axis=0)
    true = (2 * (ranks + 0.5) / len(X) - 1).astype(np.float32)
    generator, history = adversaries(true, settings)
    noise = rng.normal(size=(max(1, round(settings.made_share * len(X))), settings.noise))
    made = generator.predict(noise.astype(np.float32), verbose=0)
    places = np.clip(((made + 1) / 2 * len(X)).astype(np.int64), 0, len(X) - 1)
    values = np.take_along_axis(np.sort(filled, axis=0), places, axis=0)
    return np.where(np.isneginf(values), np.nan, values).astype(np.float32), history


def adversaries(true: np.ndarray, settings: GanSettings) -> tuple["keras.Model", dict[str, list[float]]]:
    """Train generator and critic against each other on cells within ±1; returns the generator."""
    keras = begin(settings)
    import tensorflow as tf

    with tf.device(device_of(settings.device)):
        generator = _network(keras, settings.noise, true.shape[1], "tanh", settings)
        critic = _network(keras, true.shape[1], 1, None, settings)
        ways = [keras.optimizers.Adam(settings.adversary_rate, beta_1=0.5, beta_2=0.9) for _ in range(2)]
        rows, count = tf.constant(true), settings.batch_rows

        def made() -> "tf.Tensor":
            return generator(tf.random.normal((count, settings.noise)))

        def teach_critic() -> "tf.Tensor":
            real, false = tf.gather(rows, tf.random.uniform((count,), 0, len(true), tf.int32)), made()
            with tf.GradientTape() as tape:
                between = real + tf.random.uniform((count, 1)) * (false - real)
                with tf.GradientTape() as inner:
                    inner.watch(between)
                    score = critic(between)
                slope = tf.norm(inner.gradient(score, between) + 1e-12, axis=1)
                apart = tf.reduce_mean(critic(real)) - tf.reduce_mean(critic(false))
                loss = settings.gradient_penalty * tf.reduce_mean((slope - 1) ** 2) - apart
            weights = critic.trainable_variables
            ways[0].apply(tape.gradient(loss, weights), weights)
            return apart

        @tf.function
        def step() -> "tf.Tensor":
            for _ in range(settings.critic_steps):
                apart = teach_critic()
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(critic(made()))
            weights = generator.trainable_variables
            ways[1].apply(tape.gradient(loss, weights), weights)
            return apart

        apart = np.array([float(step()) for _ in range(settings.steps)])
    shown = np.array_split(apart, min(SHOWN, len(apart)))
    return generator, {"distance of made rows": [float(part.mean()) for part in shown]}


def _network(keras: ModuleType, width: int, out: int, last: str | None, settings: GanSettings) -> "keras.Model":
    layers = keras.layers
    hidden = [layers.Dense(settings.hidden, "leaky_relu") for _ in range(2)]
    return keras.Sequential([keras.Input((width,)), *hidden, layers.Dense(out, last)])
