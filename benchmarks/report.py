"""The runs as a table: medians, the ratio, and whether the same was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from contenders import Found
from measure import Usage

MEGABYTE = 1_000_000
_HEAD = ("", "pages", "seconds", "pages/s", "CPU ms/page", "main", "others", "peak MB main", "peak MB tree")


def table(results: Sequence[tuple[str, Sequence[tuple[int, Usage]]]]) -> Iterator[str]:
    """Yield the lines of a table of each contender's medians."""
    rows = [_HEAD, *(_row(name, runs) for name, runs in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for name, *cells in rows:
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *aligned])


def rate(runs: Sequence[tuple[int, Usage]]) -> float:
    """The median of pages per second."""
    return median(pages / usage.seconds for pages, usage in runs)


def differences(name: str, ours: Found, other: str, theirs: Found) -> Iterator[str]:
    """Yield what is to be said of two results: whether the pages are the same ones, and read alike."""
    missing, extra = theirs.keys() - ours.keys(), ours.keys() - theirs.keys()
    if not missing and not extra:
        both = ours.keys()
        alike = sum(ours[url] == theirs[url] for url in both)
        yield f"{name} and {other}: the same {len(both)} pages; title, description, lang and text agree on {alike}"
        return
    yield f"NOT THE SAME PAGES: {name} {len(ours)}, {other} {len(theirs)}"
    for who, urls in ((other, missing), (name, extra)):
        yield from (f"  only {who}: {url}" for url in sorted(urls)[:5])


def _row(name: str, runs: Sequence[tuple[int, Usage]]) -> tuple[str, ...]:
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
