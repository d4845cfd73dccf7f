"""What steps print for people, on standard error."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

console = Console(stderr=True, highlight=False)


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> None:
    """Print a table; all but the first `words` columns are numbers."""
    table = Table(box=None)
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i < words else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def show_interval(found: dict) -> str:
    """Write a value and its interval."""
    if found["value"] is None:
        return "none"
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
