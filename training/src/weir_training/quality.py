"""What is in a prepared table, and what is odd about it."""

from pathlib import Path

import numpy as np
from jinja2 import Environment

from weir_training.dataset import Prepared
from weir_training.files import to_json
from weir_training.histogram import counts, quantile_edges
from weir_training.split import DAY

MOVED = 0.25
"""Population stability index above which a column has moved (N. Siddiqi, Intelligent Credit Scoring, 2017)."""


def quality_of(prepared: Prepared) -> dict:
    """Look at every column and day.

    Returns
    -------
    dict
        `columns`: by name `missing` (share), `least`, `median`, `most`, `distinct`, `psi` (train against test);
        `days`: per day of training and test rows, rows and frauds; `warnings`: sentences.
    """
    train, test = prepared.train, prepared.test
    columns, warnings = {}, []
    for i, name in enumerate(prepared.columns):
        values = train.X[:, i]
        present = values[~np.isnan(values)]
        columns[name] = {
            "missing": round(float(np.isnan(values).mean()), 6),
            "least": float(present.min()) if len(present) else None,
            "median": float(np.median(present)) if len(present) else None,
            "most": float(present.max()) if len(present) else None,
            "distinct": len(np.unique(present)),
            "psi": round(stability(values, test.X[:, i]), 6),
        }
        if len(present) == 0:
            warnings.append(f"{name} is always missing in training.")
        elif columns[name]["distinct"] == 1:
            warnings.append(f"{name} has one value only in training.")
        if columns[name]["psi"] > MOVED:
            warnings.append(f"{name} has moved between training and test (PSI {columns[name]['psi']:.2f}).")
    days = []
    for period in ("train", "test"):
        rows = getattr(prepared, period)
        day = rows.frame["event_time"].to_numpy() // DAY
        for number in np.unique(day):
            here = day == number
            days.append(
                {
                    "period": period,
                    "day": str(np.datetime64(int(number), "D")),
                    "rows": int(here.sum()),
                    "frauds": int(rows.label[here].sum()),
                }
            )
    return {"columns": columns, "days": days, "warnings": warnings}


def stability(expected: np.ndarray, found: np.ndarray, bins: int = 10) -> float:
    """Compute the population stability index over quantile bins of `expected`; missing values have their own bin.

    Examples
    --------
    >>> stability(np.arange(100.0), np.arange(100.0))
    0.0
    """
    present = expected[~np.isnan(expected)]
    edges = quantile_edges(present, bins)

    def shares(values: np.ndarray) -> np.ndarray:
        missing = np.isnan(values)
        in_bins = np.append(counts(values[~missing], edges), missing.sum())
        return np.maximum(in_bins / max(1, len(values)), 1e-4)

    p, q = shares(expected), shares(found)
    return float(np.sum((q - p) * np.log(q / p)))


def write_quality(quality: dict, folder: Path) -> None:
    """Write quality.json, and quality.html for people."""
    (folder / "quality.json").write_text(to_json(quality))
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_PAGE)
    most = max(day["frauds"] / day["rows"] for day in quality["days"])
    (folder / "quality.html").write_text(page.render(**quality, most=max(most, 1e-9)) + "\n")


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Data quality</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1c2733 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #e3e8ee }
th:first-child, td:first-child { text-align: left }
.bar { background: #c2410c; height: .7rem; display: inline-block }
.moved { color: #c2410c; font-weight: 600 }
</style>
<h1>Data quality</h1>
<p>{{ cleaned.duplicates }} payments came twice, {{ cleaned.infinite }} infinite cells were taken for missing.</p>
{% if warnings %}
<ul>{% for warning in warnings %}<li>{{ warning }}</li>{% endfor %}</ul>
{% endif %}
<h2>Frauds by day</h2>
<table><tr><th>day</th><th>period</th><th>rows</th><th>frauds</th><th style="text-align:left">share</th></tr>
{% for day in days %}
<tr><td>{{ day.day }}</td><td>{{ day.period }}</td><td>{{ "{:,}".format(day.rows) }}</td><td>{{ day.frauds }}</td>
<td style="text-align:left">
<span class="bar" style="width:{{ (12 * day.frauds / day.rows / most) | round(2) }}rem"></span>
{{ "%.2f" | format(100 * day.frauds / day.rows) }} %</td></tr>
{% endfor %}
</table>
<h2>Columns, over the training rows</h2>
<table>
<tr><th>column</th><th>missing</th><th>least</th><th>median</th><th>most</th><th>distinct</th>
<th>PSI to test</th></tr>
{% for name, c in columns.items() %}
<tr><td>{{ name }}</td><td>{{ "%.1f" | format(100 * c.missing) }} %</td>
{% for key in ["least", "median", "most"] %}
<td>{{ "" if c[key] is none else "%.6g" | format(c[key]) }}</td>
{% endfor %}
<td>{{ "{:,}".format(c.distinct) }}</td>
<td{% if c.psi > 0.25 %} class="moved"{% endif %}>{{ "%.3f" | format(c.psi) }}</td></tr>
{% endfor %}
</table>
</html>"""
