"""The families of models, by name."""

from collections.abc import Callable
from importlib import import_module

from weir_training.errors import TrainingError
from weir_training.families.base import Family

_FAMILIES = {
    "logistic": ("linear", "Logistic"),
    "svm": ("svm", "Svm"),
    "forest": ("forest", "Forest"),
    "lightgbm": ("lightgbm", "LightGbm"),
    "xgboost": ("xgboost", "XgBoost"),
    "histgb": ("histgb", "HistGb"),
    "cnn": ("convolution", "Cnn"),
    "image": ("convolution", "Image"),
    "lstm": ("recurrent", "Lstm"),
    "gru": ("recurrent", "Gru"),
    "rnn": ("recurrent", "Rnn"),
    "gan": ("gan", "Gan"),
    "isolation": ("isolation", "Isolation"),
    "autoencoder": ("autoencoder", "Autoencoder"),
}
"""Module and class."""

NAMES = list(_FAMILIES)


def family(name: str) -> Family:
    """Make the family of a name; libraries load only now.

    Raises
    ------
    TrainingError
        When there is no such family.
    """
    if name not in _FAMILIES:
        raise TrainingError(f"There is no family {name}. There are {', '.join(NAMES)}.")
    module, class_ = _FAMILIES[name]
    made: Callable[[], Family] = getattr(import_module(f"weir_training.families.{module}"), class_)
    return made()
