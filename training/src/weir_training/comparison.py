"""Two model packages on the same rows: what changes when one takes the other's place."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from weir_training.bootstrap import difference, drawn, interval
from weir_training.dataset import Prepared, Rows
from weir_training.errors import TrainingError
from weir_training.evaluate import Scored, alerted
from weir_training.evaluation import Terms, every_metric, require_both_kinds, threshold_for
from weir_training.fusion import Fusion
from weir_training.package import Model, Part
from weir_training.segments import by_scenario


@dataclass(frozen=True)
class Package:
    """A package as it lies in a folder."""

    manifest: dict
    model: Model

    @property
    def name(self) -> str:
        """As decisions carry it."""
        return f"{self.manifest['name']}@{self.manifest['version']}"


def read_package(folder: Path) -> Package:
    """Read the graphs of a package.

    Raises
    ------
    TrainingError
        When a file is missing, or is not the one that the manifest names.
    """
    try:
        manifest = json.loads((folder / "model.json").read_text())
        graphs = [(folder / f"{part['name']}.onnx").read_bytes() for part in manifest["parts"]]
        hashes = [manifest["files"][f"{part['name']}.onnx"] for part in manifest["parts"]]
        parts = [
            Part(part | {"shape": part["input"]["shape"][1:]}, graph)
            for part, graph in zip(manifest["parts"], graphs, strict=True)
        ]
        fusion = None if manifest["fusion"] is None else Fusion.of(manifest["fusion"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{folder} is no model package: {error}. `weir model check` says more.") from error
    for part, expected in zip(parts, hashes, strict=True):
        if hashlib.sha256(part.graph).hexdigest() != expected:
            file = folder / f"{part.about['name']}.onnx"
            raise TrainingError(f"{file} is not the file that model.json names: copy it again.")
    return Package(manifest, Model(parts, fusion))


def require_fit(package: Package, prepared: Prepared) -> None:
    """Refuse rows with other features than the package was trained on.

    Raises
    ------
    TrainingError
        When the feature hash differs, or columns are not there.
    """
    expected = package.manifest["feature_hash"]
    if expected != prepared.feature_hash:
        raise TrainingError(
            f"{package.name} was trained on features {expected}, the rows have {prepared.feature_hash}: export "
            "rows with the feature file of the package."
        )
    missing = [name for name in package.manifest["columns"] if name not in prepared.columns]
    if missing:
        raise TrainingError(
            f"The rows lack {', '.join(missing)}, which {package.name} reads. Export them with its lookups: "
            "weir export --lookups"
        )


def compare(packages: tuple[Package, Package], prepared: Prepared, period: str, terms: Terms) -> dict:
    """Measure both on the rows of a period, and the difference: second - first.

    The threshold of each is the lowest probability that is alerted on among these rows at the alert rate.

    Returns
    -------
    dict
        `models`: name and title of both; `metrics`: by name `first`, `second`, `difference`; `scenarios`;
        `alerts`: payments, frauds and amount of fraud that `both`, only `first`, only `second` or `neither` alert
        on; `notes`.

    Raises
    ------
    TrainingError
        When the period has no rows of both kinds, or a package scores what is no number.
    """
    rows: Rows | None = getattr(prepared, period)
    if rows is None:
        raise TrainingError(f"The run has no {period} rows. Take --period test, or prepare some.")
    require_both_kinds(rows)
    probabilities = [score(package, prepared, rows) for package in packages]
    resampled, scenarios, alerts = [], [], []
    for probability in probabilities:
        scored = Scored.of(rows, probability)
        threshold = threshold_for(probability, terms.alert_rate)
        resampled.append(drawn(scored, every_metric(threshold, terms), terms.resampling))
        alert = alerted(scored.probability, terms.alert_rate)
        scenarios.append(by_scenario(scored, alert, rows.frame["fraud_type"], terms.resampling))
        alerts.append(alerted(probability, terms.alert_rate))
    first, second = resampled
    return {
        "period": {"name": period, **prepared.periods[period]},
        "terms": asdict(terms),
        "models": [{"name": p.name, "title": p.manifest["family"], "data": p.manifest["data"]} for p in packages],
        "metrics": {
            name: {
                "first": interval(first[name]),
                "second": interval(second[name]),
                "difference": difference(second[name], first[name]),
            }
            for name in first
            if name != "fraud_rate"
        },
        "scenarios": [
            {"scenario": a["scenario"], "frauds": a["frauds"], "first": a["recall"], "second": b["recall"]}
            for a, b in zip(*scenarios, strict=True)
        ],
        "alerts": _alerts(rows, *alerts),
        "notes": [note for package in packages for note in _overlap(package, prepared.periods[period])],
    }


def score(package: Package, prepared: Prepared, rows: Rows) -> np.ndarray:
    """Score rows as serving would.

    Raises
    ------
    TrainingError
        When a score is no number.
    """
    probability = package.model.probability(package.model.raw(rows.X, prepared.columns))
    if not np.isfinite(probability).all():
        raise TrainingError(f"{package.name} scores {int((~np.isfinite(probability)).sum())} rows with no number.")
    return probability


def _alerts(rows: Rows, first: np.ndarray, second: np.ndarray) -> dict[str, dict]:
    kinds = {
        "both": first & second,
        "first": first & ~second,
        "second": second & ~first,
        "neither": ~first & ~second,
    }
    amount = rows.frame["amount"].fillna(0).to_numpy(dtype=float) if "amount" in rows.frame else None
    return {
        name: {
            "payments": int(here.sum()),
            "frauds": int((here & rows.label).sum()),
            "amount_of_fraud": None if amount is None else round(float(amount[here & rows.label].sum()), 2),
        }
        for name, here in kinds.items()
    }


def _overlap(package: Package, period: dict) -> list[str]:
    """Warn when the package may have been trained on the rows that it is measured on."""
    trained = package.manifest["periods"]
    end = max(trained[name]["to"] for name in ("train", "validation"))
    if end <= period["from"]:
        return []
    return [
        f"{package.name} was trained and calibrated on payments up to {end[:10]}, these rows begin on "
        f"{period['from'][:10]}: if they are the same payments, its figures flatter it."
    ]
