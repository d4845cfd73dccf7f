"""Convolutions over a customer's last payments: along the steps, or over steps and channels as over an image."""

from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from weir_training.families.network import DESCENT, kernel_of
from weir_training.families.sequence import SequenceFamily, SequenceSettings
from weir_training.space import Space, between

if TYPE_CHECKING:
    import keras


class ConvolutionSettings(SequenceSettings):
    """The filters that pass over the payments."""

    filters: int = Field(32, ge=1, description="Patterns that a layer looks for.")
    reach: int = Field(3, ge=1, description="Steps that a filter sees at once; of an image, channels too.")
    layers: int = Field(2, ge=1, description="Convolutions, one after the other.")


class Cnn(SequenceFamily):
    """Filters along the steps see all channels of neighbouring payments at once."""

    name = "cnn"
    title = "Convolutional network over the last payments"
    settings = ConvolutionSettings
    space: ClassVar[Space] = DESCENT | {"filters": between(8, 64, log=True), "layers": between(1, 3)}

    def read(
        self, keras: ModuleType, steps: "keras.KerasTensor", settings: ConvolutionSettings
    ) -> "keras.KerasTensor":
        for _ in range(settings.layers):
            convolution = keras.layers.Conv1D(
                settings.filters,
                settings.reach,
                padding="same",
                activation=settings.activation,
                **kernel_of(keras, settings),
            )
            steps = keras.layers.Dropout(settings.dropout)(convolution(steps))
        return keras.layers.Flatten()(steps)


class ImageSettings(ConvolutionSettings):
    """The filters that pass over the image."""

    filters: int = Field(8, ge=1, description="Patterns that a layer looks for.")


class Image(SequenceFamily):
    """The payments as an image of one colour: a row a payment, a column a channel.

    Every layer but the last is followed by a pooling that halves the steps. Neighbouring channels are looked at
    together, so their order, which is that of the feature file, matters.
    """

    name = "image"
    title = "Convolutional network over the last payments as an image"
    settings = ImageSettings
    space: ClassVar[Space] = DESCENT | {"filters": between(4, 32, log=True), "layers": between(1, 3)}

    def read(self, keras: ModuleType, steps: "keras.KerasTensor", settings: ImageSettings) -> "keras.KerasTensor":
        image = keras.layers.Reshape((*steps.shape[1:], 1))(steps)
        for layer in range(settings.layers):
            if layer > 0:
                image = keras.layers.MaxPooling2D((2, 1), padding="same")(image)
            convolution = keras.layers.Conv2D(
                settings.filters,
                settings.reach,
                padding="same",
                activation=settings.activation,
                **kernel_of(keras, settings),
            )
            image = keras.layers.Dropout(settings.dropout)(convolution(image))
        return keras.layers.Flatten()(image)
