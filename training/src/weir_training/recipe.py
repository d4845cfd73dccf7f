"""The recipe: one YAML file with every setting that differs from its default."""

from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from weir_training.errors import TrainingError
from weir_training.families import NAMES, family
from weir_training.families.base import Settings


def read_recipe(path: Path | None) -> dict[str, dict]:
    """Read the settings by family.

    Raises
    ------
    TrainingError
        When the file cannot be read, or names a family that there is not.
    """
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise TrainingError(f"Cannot read the recipe {path}: {error}") from error
    if not isinstance(content, dict) or set(content) != {"families"} or not isinstance(content["families"], dict):
        raise TrainingError(f"{path} should have one key, families, with the settings of each family below it.")
    for name, values in content["families"].items():
        if name not in NAMES:
            raise TrainingError(f"{path}: there is no family {name}{_near(str(name), NAMES)}")
        if not isinstance(values, dict):
            raise TrainingError(f"{path}: families.{name} should be settings, each with its value.")
    return content["families"]


def settings_of(name: str, values: dict) -> Settings:
    """Check the settings of a family.

    Raises
    ------
    TrainingError
        Names the setting that is wrong, and the one that was likely meant.
    """
    kind = family(name).settings
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
