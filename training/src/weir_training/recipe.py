"""The recipe: one YAML file with every setting that differs from its default."""

from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from weir_training.errors import TrainingError
from weir_training.families import NAMES, family
from weir_training.families.base import Settings
from weir_training.lookups import LEARNERS

AnySettings = TypeVar("AnySettings", bound=Settings)


SECTIONS = {"families": ("family", NAMES), "lookups": ("learner", LEARNERS)}
"""Of a recipe: what one entry is called, and the names there are."""


def read_recipe(path: Path | None, section: str = "families") -> dict[str, dict]:
    """Read the settings of a section, by the name of what they are of.

    Raises
    ------
    TrainingError
        When the file cannot be read, or names what there is not.
    """
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise TrainingError(f"Cannot read the recipe {path}: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(values, dict) for values in content.values()):
        raise TrainingError(
            f"{path} should have the keys {', '.join(SECTIONS)}, each with settings by name below it."
        )
    for key, entries in content.items():
        if key not in SECTIONS:
            raise TrainingError(f"{path}: there is no key {key}{_near(str(key), list(SECTIONS))}")
        one, names = SECTIONS[key]
        for name, values in entries.items():
            if name not in names:
                raise TrainingError(f"{path}: there is no {one} {name}{_near(str(name), names)}")
            if not isinstance(values, dict):
                raise TrainingError(f"{path}: {key}.{name} should be settings, each with its value.")
    return content.get(section, {})


def settings_of(name: str, values: dict) -> Settings:
    """Check the settings of a family: see `checked`."""
    return checked(family(name).settings, name, values)


def checked(kind: type[AnySettings], name: str, values: dict) -> AnySettings:
    """Check settings.

    Raises
    ------
    TrainingError
        Names the setting that is wrong, and the one that was likely meant.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise TrainingError(f"{name} has no setting {key}{_near(key, list(kind.model_fields))}") from error
        raise TrainingError(f"{name}.{key} is {first['input']!r}: {first['msg'].lower()}.") from error


def _near(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else f". There are {', '.join(known)}."
