"""Files and folders as every step writes them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weir_training.errors import TrainingError


def to_json(value: object) -> str:
    """Text of a JSON file: the same value gives the same bytes; NaN is refused."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def require_free(out: Path) -> None:
    """Refuse a name that is taken; steps that take long ask before they begin.

    Raises
    ------
    TrainingError
        When `out` is there already.
    """
    if out.exists():
        raise TrainingError(f"{out} is there already. Take another name, or remove it.")


def whole_file(out: Path, text: str) -> None:
    """Write a file that appears whole.

    Raises
    ------
    TrainingError
        When `out` is there already.
    """
    require_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_text(text)
    partial.rename(out)


@contextmanager
def whole_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a folder to fill, which takes the place of `out` only when all went well.

    Parameters
    ----------
    replace : bool
        Whether a folder that is there already gives way.

    Raises
    ------
    TrainingError
        When `out` is there and may not be replaced.
    """
    if not replace:
        require_free(out)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if replace:
            shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
