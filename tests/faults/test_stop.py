"""Ctrl-C and SIGTERM, at any moment: out in time, with the right code, nothing lost, nothing left behind."""

import random
import signal
import time

import pytest

CONCURRENCY = 16  # as in the settings of every test here
GRACE = 1.0  # seconds
LATE = 0.5  # seconds after the grace in which a program that is told to stop has ended
HELD_UP = 1.3  # seconds after the grace at which it ends whatever holds it up: on a busy machine that may be much
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def crawl(website, tree, home):
    """A crawl of a small site, ready to be started."""

    def crawl(*, pages=60, hangs=True, delay=0.0, **options):
        folder = tree("site", pages)
        if hangs:
            (folder / "p3.html.hangs").touch()
        site = website(folder=folder, redirects={"/moved": "/moved-here.html"}, delay=delay)
        place = home("stopped", **options)
        return site, folder, place, place.crawl(f"{site.origin}/p0.html")

    return crawl


@pytest.fixture
def gone_on_with(nursery, served_and_stored):
    """Go on with what was stopped, with a page that hangs no more; tell what is wrong in the end."""

    def gone_on_with(site, folder, place, argv):
        (folder / "p3.html.hangs").unlink(missing_ok=True)
        code, _ = nursery.run(place, *argv)
        wrong = [] if code == 0 else [f"exit code {code}: {place.said()[-500:]}"]
        return wrong + place.faults() + served_and_stored(place, site, folder, records=True)

    return gone_on_with


@pytest.mark.parametrize(
    ("number", "group", "workers"),
    [
        pytest.param(signal.SIGINT, True, 0, id="SIGINT-group"),  # as a terminal sends it
        pytest.param(signal.SIGTERM, False, 0, id="SIGTERM-process"),  # as a supervisor does
        pytest.param(signal.SIGINT, True, 1, id="SIGINT-group-worker", marks=pytest.mark.heavy),
        pytest.param(signal.SIGTERM, True, 1, id="SIGTERM-group-worker", marks=pytest.mark.heavy),
        pytest.param(signal.SIGINT, False, 1, id="SIGINT-process-worker", marks=pytest.mark.heavy),
    ],
)
def test_stopped(crawl, nursery, gone_on_with, number, group, workers):
    """A signal ends the crawl in time though a page hangs: what ran is stored, and no other page fails for it (A3)."""
    site, folder, place, argv = crawl(grace=GRACE, workers=workers)
    nursery.start(place, *argv)
    assert nursery.reaches(lambda: site.asked >= 40)
    asked_at = time.monotonic()
    nursery.kill(number, group=group)
    code, _ = nursery.ended(within=10)
    assert code == 128 + number
    assert time.monotonic() - asked_at < GRACE + HELD_UP + LATE
    assert place.query("SELECT state, owner FROM crawl") == [("interrupted", None)]
    assert place.query("SELECT state FROM url WHERE url LIKE '%/p3.html'") == [("queued",)]
    assert place.query("SELECT reason, detail FROM url WHERE state = 'failed' AND reason <> 'http-4xx'") == []
    assert gone_on_with(site, folder, place, argv) == []
    once = len(list(folder.glob("*.html"))) + len(["/robots.txt", "/moved", "/missing.html"])
    assert site.asked <= once + (1 if not (group and workers) else CONCURRENCY)  # what hung is asked again


@pytest.mark.parametrize(
    ("first", "second", "workers"),
    [
        pytest.param(signal.SIGINT, signal.SIGINT, 0, id="SIGINT-SIGINT"),
        pytest.param(signal.SIGINT, signal.SIGTERM, 0, id="SIGINT-SIGTERM", marks=pytest.mark.heavy),
        pytest.param(signal.SIGTERM, signal.SIGINT, 1, id="SIGTERM-SIGINT-worker"),
    ],
)
def test_stopped_twice(crawl, nursery, gone_on_with, first, second, workers):
    """A second signal ends the program at once, however long the first would take, and nothing is lost (A3)."""
    site, folder, place, argv = crawl(grace=60.0, workers=workers)
    nursery.start(place, *argv)
    assert nursery.reaches(lambda: site.asked >= 40)
    nursery.kill(first, group=False)
    assert nursery.reaches(lambda: not nursery.pending())  # two of a kind that wait are one
    asked_at = time.monotonic()
    nursery.kill(second, group=False)
    code, _ = nursery.ended(within=10)
    assert code == 128 + second
    assert time.monotonic() - asked_at < 2
    assert gone_on_with(site, folder, place, argv) == []


def test_stopped_at_the_start(crawl, nursery, gone_on_with, goal):
    """Told to stop while it still imports, the program goes with the right code and without a word (A3, G19)."""
    chance = random.Random(0)
    site, folder, place, argv = crawl(pages=4, hangs=False)
    with goal("G19", "signals while the program starts") as tries:
        for number in 3 * SIGNALS:
            nursery.start(place, *argv, fresh=True)
            assert nursery.reaches(nursery.hears)
            cpu = chance.random() * 0.4  # seconds; about what the start takes
            nursery.reaches(lambda cpu=cpu: nursery.used() >= cpu)
            nursery.kill(number)
            code, _ = nursery.ended(within=10)
            tries.check(code == 128 + number, f"{signal.strsignal(number)} after {cpu:.2f} s of CPU: {code}")
        said = place.said()
        tries.check("rror" not in said, said)
    assert gone_on_with(site, folder, place, argv) == []


def test_stopped_while_workers_start(crawl, nursery, gone_on_with):
    """A Ctrl-C to all processes while those that parse are being started ends the crawl as one does later (A3)."""
    site, folder, place, argv = crawl(pages=4, hangs=False, workers=1)
    nursery.start(place, *argv)
    assert nursery.reaches(nursery.prepares_workers)
    nursery.kill(signal.SIGINT)
    code, _ = nursery.ended(within=10)
    assert code == 130
    assert gone_on_with(site, folder, place, argv) == []


@pytest.mark.heavy
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_stopped_at_any_moment(crawl, nursery, gone_on_with, goal, seed):
    """Stopped 50 times within one crawl, each time it is out in time with the right code, and nothing is lost (A3)."""
    chance = random.Random(seed)
    site, folder, place, argv = crawl(pages=400, hangs=False, delay=0.02, grace=GRACE, workers=seed % 2)
    with goal("G19", "signals at random moments") as tries:
        for _ in range(50):
            nursery.start(place, *argv, fresh=chance.random() < 0.2)
            more, cpu = site.asked + chance.randrange(20), chance.choice((0.0, chance.random() * 0.4))
            if not nursery.reaches(lambda more=more, cpu=cpu: site.asked >= more and nursery.used() >= cpu):
                break
            if not nursery.reaches(nursery.hears):
                break
            number, asked_at = chance.choice(SIGNALS), time.monotonic()
            nursery.kill(number, group=chance.random() < 0.5)
            code, _ = nursery.ended()
            took = time.monotonic() - asked_at
            tries.check(code == 128 + number and took <= GRACE + LATE, f"{number!r}: {code} after {took:.2f} s")
        else:
            nursery.start(place, *argv)
        code, _ = nursery.ended() if nursery.pid is not None else (0, None)
        wrong = gone_on_with(site, folder, place, argv) if code else []
        tries.check(not wrong, wrong)


@pytest.mark.heavy
@pytest.mark.timeout(3600)
def test_stopped_in_a_short_life(crawl, nursery, goal):
    """At every moment of a crawl of two pages, its end included, a signal is a quiet end with the right code (A3)."""
    chance = random.Random(5)
    _, _, place, argv = crawl(pages=2, hangs=False)
    assert nursery.run(place, *argv)[0] == 0  # what it imports is there from now on
    before = nursery.cpu
    assert nursery.run(place, *argv, "--new")[0] == 0
    whole = nursery.cpu - before
    with goal("G19", "signals in the life of a crawl of two pages") as tries:
        for n in range(100):
            number, cpu = chance.choice(SIGNALS), n / 100 * whole
            nursery.start(place, *argv, "--new")
            if nursery.reaches(lambda cpu=cpu: nursery.hears() and nursery.used() >= cpu):
                nursery.kill(number)
            code, _ = nursery.ended()
            tries.check(code in {0, 128 + number}, f"{number!r} after {cpu:.2f} s of CPU: {code}")
        assert not place.faults()


@pytest.mark.heavy
def test_going_on_starts_at_once(crawl, nursery, goal):
    """Killed, a crawl asks its next page within a second of the command that goes on with it (G19)."""
    site, _, place, argv = crawl(pages=400, hangs=False, delay=0.02)
    nursery.start(place, *argv)
    with goal("G19", "resumes after a kill") as tries:
        for _ in range(10):
            assert nursery.reaches(lambda more=site.asked + 10: site.asked >= more)
            nursery.kill()
            nursery.ended()
            began, asked = time.monotonic(), site.asked
            nursery.start(place, "resume", "--db", "crawl.db", fresh=True)
            assert nursery.reaches(lambda asked=asked: site.asked > asked)
            took, used = time.monotonic() - began, nursery.used()
            tries.check(min(took, used) <= 1, f"{took:.2f} s to the first request, {used:.2f} of them on the CPU")
    nursery.kill()
    nursery.ended()
