"""The runs as a table: medians, aligned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from measure import Usage

MEGABYTE = 1_000_000
_HEAD = ("", "pages", "seconds", "pages/s", "CPU ms/page", "main", "others", "peak MB main", "peak MB tree")

Runs = Sequence[tuple[int, Usage]]


def crawls(results: Iterable[tuple[str, Runs]]) -> Iterator[str]:
    """Yield the lines of a table of each contender's medians."""
    return table([_HEAD, *(_row(name, runs) for name, runs in results)])


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows with their columns aligned, the first one left, all others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *aligned])


def rate(runs: Runs) -> float:
    """The median of pages per second."""
    return median(pages / usage.seconds for pages, usage in runs)


def _row(name: str, runs: Runs) -> tuple[str, ...]:
    def middle(values: Iterator[float], digits: int = 1) -> str:
        return f"{median(values):.{digits}f}"

    return (
        name,
        middle((pages for pages, _ in runs), 0),
        middle((usage.seconds for _, usage in runs), 2),
        f"{rate(runs):.1f}",
        middle((1000 * (usage.cpu_main + usage.cpu_others) / pages for pages, usage in runs), 2),
        middle((1000 * usage.cpu_main / pages for pages, usage in runs), 2),
        middle((1000 * usage.cpu_others / pages for pages, usage in runs), 2),
        middle((usage.peak_main / MEGABYTE for _, usage in runs), 0),
        middle((usage.peak_tree / MEGABYTE for _, usage in runs), 0),
    )
