"""``weir-training optimise``: search settings, choose columns and a family, all by validation in time."""

import argparse
import csv
import io
from pathlib import Path

import yaml
from rich.status import Status

from weir_training.choice import compare_families
from weir_training.dataset import read_prepared
from weir_training.errors import TrainingError
from weir_training.families import NAMES, family
from weir_training.files import to_json, whole_folder
from weir_training.prequential import Prequential, days_of, folds_of, validate
from weir_training.recipe import read_recipe, settings_of
from weir_training.report import write_optimisation
from weir_training.search import Budget, Task, best_settings, search, table
from weir_training.selection import select_columns
from weir_training.steps.options import add_folds, add_resampling, number, plan_of, resampling_of
from weir_training.steps.show import console, show_interval, show_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "optimise",
        help="search settings, choose columns and a family",
        description="Tries settings on folds that move forward in time inside the training period; test and "
        "validation rows are never looked at. The journal of each search stays in search/ of the run folder: the "
        "same command goes on where it was left. Writes optimisation/: recipe.yaml, which `train --recipe` takes, "
        "trials.csv, optimisation.json and optimisation.html.",
    )
    parser.add_argument("family", nargs="+", choices=NAMES, metavar="FAMILY", help=", ".join(NAMES))
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="run folder of `prepare`")
    parser.add_argument("--recipe", type=Path, help="settings to begin with, and search spaces of your own")
    parser.add_argument(
        "--trials",
        type=number(1, kind=int),
        default=30,
        help="of each family, those of earlier calls included (default: 30)",
    )
    parser.add_argument("--seconds", type=number(0), help="of each family in this call (default: no limit)")
    parser.add_argument("--select-columns", action="store_true", help="leave out columns that do not help")
    add_folds(parser, "folds of the training rows (default: 3)")
    add_resampling(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Search, write what was found, and return it."""
    prepared, recipe = read_prepared(options.folder), read_recipe(options.recipe)
    plan = plan_of(options, recipe) or Prequential()
    folds = folds_of(prepared, plan)
    tasks = []
    for name in dict.fromkeys(options.family):
        kind, base = family(name), settings_of(name, recipe.families.get(name, {}))
        kind.columns_of(base, prepared.columns)
        space = recipe.search.get(name, kind.space)
        unknown = [key for key in space if key not in type(base).model_fields]
        if unknown:
            raise TrainingError(f"The search of {name} names {', '.join(unknown)}, which it has not as a setting.")
        tasks.append(Task(prepared, kind, base, space, plan, folds, options.seed))
    budget = Budget(options.trials, options.seconds)
    trials, settings, selections, raw = [], {}, {}, {}
    with console.status("searching") as status:
        for task in tasks:
            name = task.kind.name
            settings[name], found, selection = _optimise(task, options, budget, status)
            trials += found
            if selection is not None:
                selections[name] = selection
            raw[name] = [scores for scores, _ in validate(task.kind, settings[name], folds, prepared.columns)]
        status.update("comparing families")
        families = compare_families(folds, raw, resampling_of(options))
    for name, found in families.items():
        found["settings"] = settings[name].model_dump()
    result = {
        "prequential": plan.model_dump(),
        "folds": [
            {"days": days_of(fold), "rows": len(fold.train.label), "frauds": int(fold.train.label.sum())}
            for fold in folds
        ],
        "chosen": next(iter(families)),
        "families": families,
        "selections": selections,
        "trials": trials,
    }
    with whole_folder(options.folder / "optimisation", replace=True) as folder:
        (folder / "recipe.yaml").write_text(_recipe(result))
        (folder / "trials.csv").write_text(_csv(trials))
        (folder / "optimisation.json").write_text(to_json(result))
        write_optimisation(result, folder)
    _show(result, options.folder / "optimisation")
    return result


def _optimise(task: Task, options: argparse.Namespace, budget: Budget, status: Status) -> tuple:
    """Search one family: its best settings, its trials, and what came of choosing columns."""
    study = search(task, options.folder / "search", budget, status.update)
    settings = best_settings(task, study)
    if not options.select_columns:
        return settings, table(study), None
    selection = select_columns(task.kind, settings, task.folds, task.prepared.columns, options.seed, status.update)
    if selection is None:
        console.print(f"{task.kind.name} reads sequences whole: no columns are chosen")
        return settings, table(study), None
    return settings.model_copy(update={"columns": selection.columns}), table(study), vars(selection)


def _recipe(result: dict) -> str:
    chosen = result["chosen"]
    families = {
        name: {key: value for key, value in found["settings"].items() if value is not None}
        for name, found in result["families"].items()
    }
    plan = {key: value for key, value in result["prequential"].items() if value is not None}
    content = yaml.safe_dump({"prequential": plan, "families": families}, sort_keys=False)
    return (
        f"# Written by weir-training optimise; best on the folds: {chosen}.\n"
        f"# weir-training train {chosen} --run RUN --recipe THIS\n{content}"
    )


def _csv(trials: list[dict]) -> str:
    names = sorted({name for trial in trials for name in trial["settings"]})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = ("family", "trial", "state", "average_precision", "seconds")
    writer.writerow([*keys, *names])
    for trial in trials:
        writer.writerow([*(trial[key] for key in keys), *(trial["settings"].get(name, "") for name in names)])
    return out.getvalue()


def _show(result: dict, folder: Path) -> None:
    rows = []
    for name, found in result["families"].items():
        trials = [trial for trial in result["trials"] if trial["family"] == name]
        columns = found["settings"]["columns"]
        rows.append(
            (
                name,
                f"{len(trials)}",
                f"{trials[0]['average_precision']:.4f}",
                show_interval(found["average_precision"]),
                "" if name == result["chosen"] else show_interval(found["behind"]),
                "all" if columns is None else f"{len(columns)}",
            )
        )
    show_table(
        ("family", "trials", "settings at first", "best, over the folds", "behind the first", "columns"), rows
    )
    console.print(f"wrote {folder}; the recipe is {folder / 'recipe.yaml'}", markup=False)
