"""What networks by Keras have in common: how they descend, how they are exported."""

import os
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import onnx
from pydantic import Field

from weir_training.families.base import THREADS, Fitted, Settings
from weir_training.normalise import behind
from weir_training.space import Space, between
from weir_training.steps.show import console

if TYPE_CHECKING:
    import keras

PREDICTED_AT_ONCE = 4096
"""Rows."""
Device = Literal["cpu", "gpu"]


class NetworkSettings(Settings):
    """How weights begin, how they are learned, and what holds them back."""

    initialiser: Literal["glorot_uniform", "he_normal", "lecun_normal", "orthogonal"] = Field(
        "glorot_uniform", description="What the weights are drawn from at the start."
    )
    activation: Literal["relu", "elu", "gelu", "tanh"] = Field("relu", description="Of the hidden layers.")
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] = Field(
        "adam", description="How the gradient becomes a step; sgd is with momentum 0.9."
    )
    learning_rate: float = Field(1e-3, gt=0, description="Length of a step.")
    clip_norm: float = Field(1.0, gt=0, description="Gradients longer than this are shortened to it.")
    batch_rows: int = Field(512, ge=1, description="Rows a step.")
    epochs: int = Field(20, ge=1, description="Passes over the rows, at most.")
    early_stopping: int = Field(
        3, ge=0, description="Epochs without progress on validation that end it; the best weights stay. 0: never."
    )
    l2: float = Field(1e-4, ge=0, description="Ridge penalty on the weights of a layer.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Share of a layer's values that a step leaves out.")
    device: Device = Field("cpu", description="Where it trains; cpu where there is no such.")


DESCENT: Space = {
    "learning_rate": between(1e-4, 1e-2, log=True),
    "epochs": between(2, 30, log=True),
    "l2": between(1e-6, 1e-2, log=True),
    "dropout": between(0.0, 0.5),
}
"""What a search tries with every network; folds have nothing to stop early by, so they try how long."""


class Scaler(Protocol):
    """A `weir_training.normalise.Normaliser`, or what does the same for another layout of the columns."""

    width: int

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Float32 rows without a missing value, shape (rows, width)."""

    def nodes(self, source: str, target: str) -> tuple[list, list]:
        """Give the same as nodes and initialisers of a graph."""


@dataclass
class FittedNetwork(Fitted):
    """A network behind a normaliser: its input is [rows, normaliser.width], its output the raw score."""

    normaliser: Scaler
    model: "keras.Model"
    shape: tuple[int, ...]
    history: dict[str, list[float]]

    def raw(self, X: np.ndarray) -> np.ndarray:
        scores = self.model.predict(self.normaliser(X), batch_size=PREDICTED_AT_ONCE, verbose=0)
        return scores[:, 0].astype(np.float64)

    def to_onnx(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # tf2onnx asks numpy for names that are gone
            path = Path(folder) / "body.onnx"
            rows = [load_keras().InputSpec("float32", (None, self.normaliser.width))]
            self.model.export(path, "onnx", verbose=False, input_signature=rows, opset_version=15)
            body = with_plain_names(onnx.load(path))
        return behind(self.normaliser, body, self.shape[0])


@cache
def load_keras() -> ModuleType:
    """Load Keras on TensorFlow, quiet, with results that repeat. It takes seconds, so it is done when needed."""
    os.environ |= {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",  # its sums depend on the processor
    }
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    return keras


def begin(settings: Settings) -> ModuleType:
    """Load Keras, forget earlier networks, and set every seed."""
    keras = load_keras()
    keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    return keras


def kernel_of(keras: ModuleType, settings: NetworkSettings) -> dict:
    """How a layer's weights begin and what holds them."""
    return {
        "kernel_initializer": settings.initialiser,
        "kernel_regularizer": keras.regularizers.L2(settings.l2),
    }


@cache
def device_of(wanted: Device) -> str:
    """Name the device to train on as TensorFlow does, and say so, once, where it is another than was wanted."""
    import tensorflow as tf

    if wanted == "gpu":
        if tf.config.list_physical_devices("GPU"):
            return "/GPU:0"
        console.print("TensorFlow sees no GPU: training on the CPU.")
    return "/CPU:0"


def fit(
    model: "keras.Model",
    rows: tuple[np.ndarray, ...],
    validation: tuple[np.ndarray, ...] | None,
    loss: str,
    settings: NetworkSettings,
) -> dict[str, list[float]]:
    """Learn by gradient descent.

    Parameters
    ----------
    rows : tuple of ndarray
        Input, target and, where rows differ in it, weight.
    validation : tuple of ndarray or None
        The same; for early stopping.

    Returns
    -------
    dict
        Losses by epoch, penalties included.
    """
    keras = load_keras()
    import tensorflow as tf

    rate, clip = settings.learning_rate, settings.clip_norm
    optimisers = {
        "adam": lambda: keras.optimizers.Adam(rate, clipnorm=clip),
        "adamw": lambda: keras.optimizers.AdamW(rate, clipnorm=clip),
        "rmsprop": lambda: keras.optimizers.RMSprop(rate, clipnorm=clip),
        "sgd": lambda: keras.optimizers.SGD(rate, momentum=0.9, clipnorm=clip),
    }
    stops = settings.early_stopping > 0 and validation is not None
    patience = keras.callbacks.EarlyStopping(patience=settings.early_stopping, restore_best_weights=True)
    with tf.device(device_of(settings.device)):
        model.compile(optimisers[settings.optimiser](), loss=loss, jit_compile=False)
        found = model.fit(
            *rows[:2],
            sample_weight=rows[2] if len(rows) > 2 else None,
            batch_size=settings.batch_rows,
            epochs=settings.epochs,
            validation_data=validation,
            validation_batch_size=PREDICTED_AT_ONCE,
            callbacks=[patience] if stops else [],
            verbose=0,
        ).history
    names = {"loss": "train loss", "val_loss": "validation loss"}
    return {names[key]: [float(value) for value in values] for key, values in found.items()}


def with_plain_names(model: onnx.ModelProto) -> bytes:
    """Order nodes from the output backwards, and number tensors and nodes.

    The converter's names hold counters that go on from one model to the next, and its order goes by names.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    constants = {value.name: value for value in graph.initializer}
    names, nodes = {"": ""}, []

    def reach(name: str) -> None:
        if name in names:
            return
        node = makers.get(name)
        if node is None:  # the input or a constant
            names[name] = f"t{len(names)}"
            return
        for source in node.input:
            reach(source)
        for output in node.output:
            names.setdefault(output, f"t{len(names)}" if output else "")
        nodes.append(node)

    reach(graph.output[0].name)
    ordered = [constants[name] for name in names if name in constants]
    for value in [*graph.input, *ordered, *graph.output]:
        value.name = names[value.name]
    for i, node in enumerate(nodes):
        node.name = f"n{i}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    graph.output[0].type.tensor_type.shape.dim[0].dim_param = "rows"
    plain = onnx.helper.make_graph(nodes, "weir", graph.input, graph.output, ordered)
    return onnx.helper.make_model(
        plain, opset_imports=model.opset_import, ir_version=model.ir_version
    ).SerializeToString(deterministic=True)
