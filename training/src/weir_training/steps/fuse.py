"""``weir-training fuse``: several trained families as one, and whether that is worth it."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from weir_training.bootstrap import Resampling, difference, drawn, interval
from weir_training.dataset import Prepared, read_prepared
from weir_training.errors import TrainingError
from weir_training.evaluate import Scored, ranking
from weir_training.files import to_json, whole_folder
from weir_training.fusion import NO_WEIGHT, Fusion, fit_fusion
from weir_training.scores import (
    FUSION,
    Probabilities,
    fingerprint,
    known_rows,
    read_model,
    read_probabilities,
    trained,
)
from weir_training.steps.options import add_resampling, number, resampling_of
from weir_training.steps.show import console, show_interval, show_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "fuse",
        help="fuse trained families into one model",
        description="Fits logistic regression on the log-odds of the families' validation scores, and "
        "measures on test whether the fusion beats each of them. Writes fusion/ into the run folder, which "
        "`export fusion` makes a package of.",
    )
    parser.add_argument("family", nargs="+", metavar="FAMILY", help="as trained in the run folder; or all")
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="run folder")
    parser.add_argument(
        "--strength", type=number(0), default=1e-4, help="of the pull to equal weights, a row (default: 0.0001)"
    )
    add_resampling(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Fuse and return weights, and the fusion's lead over each part."""
    prepared = read_prepared(options.folder)
    families = [name for name in trained(options.folder) if name != FUSION]
    names = families if "all" in options.family else list(dict.fromkeys(options.family))
    if len(names) < 2:
        raise TrainingError("A fusion needs two families at least. Name them, or train another.")
    parts = {name: read_model(options.folder, name).parts[0] for name in names}
    scores = {name: read_probabilities(options.folder, name, prepared) for name in names}
    fusion, kept = fit(scores, prepared, options.strength)
    fused = Probabilities(
        fusion(np.column_stack([scores[name].validation for name in kept])),
        fusion(np.column_stack([scores[name].test for name in kept])),
    )
    against = compare_with_parts(fused, scores, prepared, resampling_of(options))
    about = {
        "parts": [{"name": name, "fingerprint": fingerprint(parts[name])} for name in kept],
        "left_out": [name for name in names if name not in kept],
        **fusion.as_dict(),
        "strength": options.strength,
        "against": against,
        "verdict": verdict(against),
    }
    with whole_folder(options.folder / FUSION, replace=True) as folder:
        (folder / "fusion.json").write_text(to_json(about))
        _table(fused, prepared).to_parquet(folder / "scores.parquet", index=False)
    _show(about)
    return about


def fit(scores: dict[str, Probabilities], prepared: Prepared, strength: float) -> tuple[Fusion, list[str]]:
    """Fit, and fit again without the parts that got no weight: they would cost time in serving and say nothing.

    Raises
    ------
    TrainingError
        When only one part remains.
    """
    label, kept = known_rows(prepared).label, list(scores)
    while True:
        fusion = fit_fusion(np.column_stack([scores[name].validation for name in kept]), label, strength)
        weighty = [name for name, weight in zip(kept, fusion.weights, strict=True) if weight > NO_WEIGHT]
        if len(weighty) < 2:
            raise TrainingError(
                f"The fusion gives weight to {' and '.join(weighty) or 'nothing'} only: there is nothing to fuse. "
                "Export that family alone, or fuse others."
            )
        if weighty == kept:
            return fusion, kept
        kept = weighty


def compare_with_parts(
    fused: Probabilities, scores: dict[str, Probabilities], prepared: Prepared, resampling: Resampling
) -> dict[str, dict]:
    """Average precision of the fusion and of each part on test, and the paired interval of the difference."""
    probability = {FUSION: fused} | scores
    precision = {
        name: drawn(Scored.of(prepared.test, found.test), ranking, resampling)["average_precision"]
        for name, found in probability.items()
    }
    return {
        name: {"average_precision": interval(values), "lead": difference(precision[FUSION], values)}
        for name, values in precision.items()
    }


def verdict(against: dict[str, dict]) -> str:
    """Say in a sentence whether the fusion was worth it."""
    parts = {name: found["lead"] for name, found in against.items() if name != FUSION}
    unbeaten = [name for name, lead in parts.items() if not (lead["beyond_chance"] and lead["value"] > 0)]
    worse = [name for name in unbeaten if parts[name]["beyond_chance"]]
    if not unbeaten:
        return "The fusion beats each of its parts on average precision: every interval of its lead is above 0."
    if worse:
        return f"The fusion is worse than {' and '.join(worse)} on average precision: serve that alone."
    return (
        f"The fusion is not shown to beat {' and '.join(unbeaten)} on average precision: "
        "the interval of its lead holds 0."
    )


def _table(fused: Probabilities, prepared: Prepared) -> pd.DataFrame:
    periods = (("validation", known_rows(prepared), fused.validation), ("test", prepared.test, fused.test))
    return pd.concat(
        pd.DataFrame(
            {
                "period": period,
                "transaction_id": rows.frame["transaction_id"],
                "label": rows.label,
                "probability": probability,
            }
        )
        for period, rows, probability in periods
    )


def _show(about: dict) -> None:
    weights = dict(zip((part["name"] for part in about["parts"]), about["weights"], strict=True))
    rows = (
        (
            name,
            "" if name == FUSION else f"{weights.get(name, 0):.3f}",
            show_interval(found["average_precision"]),
            "" if name == FUSION else show_interval(found["lead"]),
        )
        for name, found in about["against"].items()
    )
    show_table(("family", "weight", "average precision on test", "lead of the fusion"), rows)
    console.print(about["verdict"], markup=False)
