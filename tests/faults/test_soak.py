"""At full speed for a long time, killed and gone on with every few minutes: nothing grows but the store.

SCRAPER_SOAK_MINUTES sets how long it takes (30), SCRAPER_SOAK_EVERY after how many minutes it is killed (5).
"""

import os
import sys
import time
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import pytest

MINUTES = float(os.environ.get("SCRAPER_SOAK_MINUTES", "30"))
EVERY = float(os.environ.get("SCRAPER_SOAK_EVERY", "5"))
PAUSE = 1.0  # seconds between two looks
SLOPE = 1.0  # MB of memory for 100,000 pages,
NOISE = 2.0  # and so much by chance
LARGEST_WAL = 64.0  # MB
MB = 1_000_000


class Sample(NamedTuple):
    """The program at a moment: sizes in MB."""

    run: int
    at: float  # seconds since the run began
    pages: int  # since the first run began
    memory: float  # of the program itself
    workers: float  # of all that it started
    descriptors: int
    threads: int
    wal: float


SIZES = list(enumerate(Sample._fields))[3:]


def resident(pid):
    """The memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def looked_at(nursery, home, run, at, pages):
    """Take a sample; None if a process has just ended."""
    try:
        program, *others = nursery.session()
        return Sample(
            run, at, pages, resident(program), sum(map(resident, others)),
            len(list(Path(f"/proc/{program}/fd").iterdir())), len(list(Path(f"/proc/{program}/task").iterdir())),
            home.db.with_name("crawl.db-wal").stat().st_size / MB,
        )  # fmt: skip
    except OSError:
        return None


@pytest.fixture
def samples(website, home, nursery):
    """Crawl a site without end, killed every few minutes, and look at it every second."""
    site, place = website(), home("soak", workers=len(os.sched_getaffinity(0)), batch_seconds=0.5)
    argv, taken = place.crawl(f"{site.origin}/e0.html", "--concurrency", "32", "--per-host", "32"), []
    for run in range(max(1, round(MINUTES / EVERY))):
        nursery.start(place, *argv, fresh=True)
        began = time.monotonic()
        while (at := time.monotonic() - began) < EVERY * 60:
            assert nursery.lives(PAUSE), place.said()
            taken.append(looked_at(nursery, place, run, at, site.asked))
        nursery.kill()
        assert nursery.ended()[0] == -9, place.said()
        assert not place.faults()
    return [sample for sample in taken if sample is not None]


def quarter(samples, run, number):
    """The samples of a quarter of a run."""
    length = EVERY * 60 / 4
    return [each for each in samples if each.run == run and length * (number - 1) <= each.at < length * number]


def growth(samples, what):
    """How much a size has grown from the third quarters of the runs to the last, in MB, and within how many pages.

    Before that caches fill. The largest sizes are compared, as workers are replaced, and the new ones are small.
    """
    grown = pages = 0
    for run in {sample.run for sample in samples}:
        before, after = quarter(samples, run, 3), quarter(samples, run, 4)
        grown += max(getattr(each, what) for each in after) - max(getattr(each, what) for each in before)
        pages += after[-1].pages - before[-1].pages
    return grown, pages


@pytest.mark.heavy
@pytest.mark.timeout(int(MINUTES * 120 + 600))
def test_soak(samples, goal, capsys):
    """Memory, descriptors, threads and the write-ahead log stay as they are, however many pages go by (A11, G15)."""
    runs = sorted({sample.run for sample in samples})
    grown = {what: growth(samples, what) for what in ("memory", "workers")}
    report = [f"{samples[-1].pages:,} pages in {MINUTES:g} minutes, {len(runs)} runs; growth in MB and pages: {grown}"]
    for run in runs:
        last = quarter(samples, run, 4)
        report.append(", ".join(f"{name} {max(map(itemgetter(n), last)):,.0f}" for n, name in SIZES))
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(report) + "\n")
    with goal("G15", "looks at a program that is killed and resumed") as tries:
        for what, (size, pages) in grown.items():
            tries.check(size <= SLOPE * pages / 100_000 + NOISE, f"{what} has grown by {size:.2f} MB in {pages} pages")
        for run in runs:
            before, after = quarter(samples, run, 3), quarter(samples, run, 4)
            for what in ("descriptors", "threads"):
                most = max(getattr(each, what) for each in before)
                tries.check(max(getattr(each, what) for each in after) <= most + 2, f"{what}: more than {most}")
        for each in samples:
            tries.check(each.wal <= LARGEST_WAL, f"the write-ahead log is {each.wal:.0f} MB")
