"""What can be learned into lookup tables, by name."""

from collections.abc import Callable
from importlib import import_module

from weir_training.lookups.base import Learner

_LEARNERS = {
    "merchants": ("vectors", "Merchants"),
    "categories": ("vectors", "Categories"),
    "terminals": ("vectors", "Terminals"),
    "descriptions": ("vectors", "Descriptions"),
    "affinity": ("affinity", "Affinity"),
    "content": ("content", "Content"),
}
"""Module and class."""

LEARNERS = list(_LEARNERS)


def learner(name: str) -> Learner:
    """Make the learner of a name; libraries load only now."""
    module, class_ = _LEARNERS[name]
    made: Callable[[], Learner] = getattr(import_module(f"weir_training.lookups.{module}"), class_)
    return made()
