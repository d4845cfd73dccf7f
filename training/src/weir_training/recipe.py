"""The recipe: one YAML file with every setting that differs from its default."""

from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import RootModel, ValidationError

from weir_training.errors import TrainingError
from weir_training.families import NAMES, family
from weir_training.families.base import Settings
from weir_training.prequential import Prequential
from weir_training.space import Space


@dataclass(frozen=True)
class Recipe:
    """What a recipe says.

    Attributes
    ----------
    families : dict
        Settings by family.
    prequential : Prequential or None
        How to validate in time; None: the recipe does not say.
    search : dict
        By family, what a search tries instead of the family's own space.
    """

    families: dict[str, dict] = field(default_factory=dict)
    prequential: Prequential | None = None
    search: dict[str, Space] = field(default_factory=dict)


class _Search(RootModel[dict[str, Space]]):
    """Reads the search spaces."""


def read_recipe(path: Path | None) -> Recipe:
    """Read a recipe; without one there is nothing that differs.

    Raises
    ------
    TrainingError
        When the file cannot be read, or names a family or key that there is not.
    """
    if path is None:
        return Recipe()
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise TrainingError(f"Cannot read the recipe {path}: {error}") from error
    keys = [key.name for key in fields(Recipe)]
    if not isinstance(content, dict) or not set(content) <= set(keys):
        raise TrainingError(f"{path} should have the keys families, prequential or search, and no other.")
    families, search = content.get("families") or {}, content.get("search") or {}
    for key, by_family in (("families", families), ("search", search)):
        if not isinstance(by_family, dict):
            raise TrainingError(f"{path}: {key} should have the settings of each family below it.")
        for name, values in by_family.items():
            if name not in NAMES:
                raise TrainingError(f"{path}: there is no family {name}{_near(str(name), NAMES)}")
            if not isinstance(values, dict):
                raise TrainingError(f"{path}: {key}.{name} should be settings, each with its value.")
    try:
        plan = None if content.get("prequential") is None else Prequential.model_validate(content["prequential"])
        spaces = _Search.model_validate(search).root
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TrainingError(f"{path}: {where} is {first['input']!r}: {first['msg'].lower()}.") from error
    return Recipe(families, plan, spaces)


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
