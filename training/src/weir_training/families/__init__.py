"""The families of models, by name."""

from collections.abc import Callable
from importlib import import_module

from weir_training.errors import TrainingError
from weir_training.families.base import Family

_FAMILIES: dict[str, tuple[str, str, str | None]] = {
    "logistic": ("linear", "Logistic", None),
    "svm": ("svm", "Svm", None),
    "forest": ("forest", "Forest", None),
    "lightgbm": ("lightgbm", "LightGbm", None),
    "xgboost": ("xgboost", "XgBoost", None),
    "histgb": ("histgb", "HistGb", None),
    "isolation": ("isolation", "Isolation", None),
}
"""Module, class, and the extra that its libraries come with."""

NAMES = list(_FAMILIES)


def family(name: str) -> Family:
    """Make the family of a name; libraries load only now.

    Raises
    ------
    TrainingError
        When there is no such family, or its libraries are not installed.
    """
    if name not in _FAMILIES:
        raise TrainingError(f"There is no family {name}. There are {', '.join(NAMES)}.")
    module, class_, extra = _FAMILIES[name]
    try:
        made: Callable[[], Family] = getattr(import_module(f"weir_training.families.{module}"), class_)
    except ImportError as error:
        hint = "" if extra is None else f" Install them: pip install 'weir-training[{extra}]'."
        raise TrainingError(f"The libraries of {name} are missing: {error}.{hint}") from error
    return made()
