"""``weir-training settings``: every setting of a family, what it is by default or recipe, and what it means."""

import argparse
from pathlib import Path

from weir_training.families import NAMES
from weir_training.families.base import Settings
from weir_training.recipe import read_recipe, settings_of
from weir_training.steps.show import show_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser("settings", help="show and check the settings of families")
    parser.add_argument("family", nargs="+", metavar="FAMILY", help=", ".join([*NAMES, "all"]))
    parser.add_argument("--recipe", type=Path, help="YAML file of settings")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Check, show and return the settings by family."""
    recipe = read_recipe(options.recipe)
    names = NAMES if "all" in options.family else list(dict.fromkeys(options.family))
    settings = {name: settings_of(name, recipe.families.get(name, {})) for name in names}
    if not options.json:
        _show(settings)
    return {"families": {name: found.model_dump() for name, found in settings.items()}}


def _show(settings: dict[str, Settings]) -> None:
    rows = (
        (name if i == 0 else "", key, field.description or "", str(getattr(found, key)))
        for name, found in settings.items()
        for i, (key, field) in enumerate(type(found).model_fields.items())
    )
    show_table(("family", "setting", "what it is", "value"), rows, words=3)
