"""Killed at random moments, again and again within one crawl, and gone on with: the result is that of a quiet one."""

import random
import time
from pathlib import Path

import pytest

CONCURRENCY = 16  # as in the settings of every test here
DOCUMENTATION = Path("/usr/share/doc/postgresql-doc-15/html")
installed = pytest.mark.skipif(not DOCUMENTATION.is_dir(), reason="needs Debian's postgresql-doc-15")


@pytest.fixture
def kill_often(home, nursery, served_and_stored):
    """Kill one crawl so many times, go on each time, and tell what is wrong in the end, and how many requests it took.

    `pages` is how many requests there are between two kills at most.
    """

    def kill_often(name, site, folder, start, chance, *, kills, pages, workers=0, alone=False, records=False):
        crawl = home(name, workers=workers, batch_seconds=0.02)
        argv, before, done = crawl.crawl(site.origin + start), site.asked, 0
        nursery.start(crawl, *argv)
        for _ in range(kills):
            goal, pause = site.asked + chance.randrange(pages), chance.choice((0.0, chance.random() * 0.03))
            if not nursery.reaches(lambda goal=goal: site.asked >= goal):
                break
            time.sleep(pause)
            nursery.kill(group=not alone)
            code, _ = nursery.ended()
            assert code == -9
            done += 1
            nursery.start(crawl, *argv)
        code, _ = nursery.ended(within=120)
        wrong = [f"exit code {code}: {crawl.said()[-500:]}"] if code else crawl.faults()
        wrong += served_and_stored(crawl, site, folder, records=records)
        return crawl, done, wrong, site.asked - before

    return kill_often


@pytest.fixture
def compare(home, nursery, kill_often):
    """Kill a crawl often and compare it with one left alone, which comes first."""

    def compare(site, folder, start, chance, **options):
        quiet, before = home("quiet"), site.asked
        code, _ = nursery.run(quiet, *quiet.crawl(site.origin + start))
        assert code == 0, quiet.said()
        assert not quiet.faults()
        enough = site.asked - before
        crawl, done, wrong, asked = kill_often("killed", site, folder, start, chance, **options)
        result = crawl.result()
        wrong += [f"{name} differ" for name, rows in quiet.result().items() if result[name] != rows]
        most = enough + done * (CONCURRENCY + 1)  # robots.txt may have to be asked again
        wrong += [] if asked <= most else [f"{asked} requests, {most} at most"]
        wrong += [f"{site.forbidden} forbidden requests"] if site.forbidden else []
        return done, wrong

    return compare


def test_killed_often(website, tree, compare, goal):
    """Killed 30 times within one crawl, the program alone or with all it started, it ends as one left alone (A1)."""
    folder = tree("site", 200)
    site = website(folder=folder, redirects={"/moved": "/moved-here.html"}, delay=0.01, resets=0.03)
    with goal("G1", "kills at random moments of one crawl") as tries:
        done, wrong = compare(site, folder, "/p0.html", random.Random(1), kills=30, pages=12, records=True)
        for _ in range(done):
            tries.check(not wrong, wrong)
    assert done >= 25
