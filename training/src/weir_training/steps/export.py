"""``weir-training export``: a trained family, or the fusion of several, as a package that weir admits."""

import argparse
import sys
from pathlib import Path

from weir_training.dataset import read_prepared
from weir_training.files import require_free
from weir_training.package import parse_target, write_package
from weir_training.scores import read_model


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser("export", help="write a model package from a trained family or the fusion")
    parser.add_argument("family", metavar="FAMILY", help="as trained in the run folder; or fusion")
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="run folder")
    parser.add_argument("--out", type=Path, required=True, help="models/<name>/<version>; must not exist yet")
    parser.add_argument("--data", required=True, help="where the data comes from, a sentence for the model card")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Write the package and return its metrics."""
    parse_target(options.out)
    require_free(options.out)
    prepared = read_prepared(options.folder)
    model = read_model(options.folder, options.family)
    metrics = write_package(options.out, prepared, model, options.data)
    parity = max(part.about["parity"] for part in model.parts)
    print(f"wrote {options.out}; ONNX is within {parity:.1e} of the model", file=sys.stderr)
    return {"out": str(options.out), "metrics": metrics}
