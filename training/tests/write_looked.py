"""The package with lookups that weir's own tests load, by the very commands of a study: see write_fixtures.py."""

import subprocess
import tempfile
from pathlib import Path

from weir_training.cli import main

FEATURES = "test/fixtures/features/few.yaml"
RECIPE = """
families: { lightgbm: { trees: 20, leaves: 7 } }
lookups:
  merchants: { dimensions: 3 }
  categories: { dimensions: 2 }
  terminals: { dimensions: 2 }
  descriptions: { dimensions: 2 }
  affinity: { factors: 4 }
  content: { dimensions: 4, recent: 5 }
"""


def write_looked(out: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe, lookups, run = folder / "recipe.yaml", folder / "lookups.json", folder / "run"
        recipe.write_text(RECIPE)
        export(folder / "first.parquet")
        step("learn", "all", "--table", folder / "first.parquet", "--recipe", recipe, "--out", lookups)
        export(folder / "second.parquet", "--lookups", str(lookups))
        periods = ["--validation-days", "0", "--delay-days", "2", "--test-days", "14"]
        step("prepare", "--table", folder / "second.parquet", "--out", run, *periods)
        step("train", "lightgbm", "--run", run, "--recipe", recipe)
        data = "20,000 payments of the generator, for weir's own tests."
        step("export", "lightgbm", "--run", run, "--out", out, "--data", data)


def export(out: Path, *extra: str) -> None:
    weir = ["npm", "run", "--silent", "weir", "--", "--set", f"features={FEATURES}", "export"]
    subprocess.run([*weir, "--events", "20000", "--seed", "11", "--out", str(out), *extra], check=True)


def step(*words: object) -> None:
    if main([str(word) for word in words]) != 0:
        raise SystemExit(1)


if __name__ == "__main__":
    write_looked(Path("test/fixtures/models/looked/1.0.0"))
