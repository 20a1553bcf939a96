"""What one URL shows by itself: a table of traps, a table of honest URLs, and real ones. Row C12."""

from datetime import date
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper import traps, urls
from scraper.errors import UrlError
from scraper.model import Reason

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the public URL collections are not beside the checkout")
TODAY = date(2025, 6, 15)

TRAPS = [
    ("/a/a/a/a", "/a repeats in the path"),
    ("/shop/img/img/img/img/logo.html", "/img repeats in the path"),
    ("/a/b/a/b/a/b", "/a/b repeats in the path"),
    ("/x/a/b/c/a/b/c/a/b/c/", "/a/b/c repeats in the path"),
    ("/page/1/page/1/page/1", "/page/1 repeats in the path"),
    ("/1/1/1/1/1/1/1/1/", "/1 repeats in the path"),
    ("//////", "/ repeats in the path"),
    ("/in/de/in/fr/in/it/in/es/in/pl/", "/in stands 5 times in the path"),
    ("/" + "/".join(f"s{n}" for n in range(33)), "more than 32 path segments"),
    ("/?" + "&".join(f"p{n}={n}" for n in range(51)), "more than 50 parameters"),
    ("/?a=1&b=2&a=1&a=1&a=1&a=1&a=1&a=1", "a=1 stands 7 times in the query"),
    ("/?q=" + "x" * 2100, "the query is longer than 2048 characters"),
    ("/login?return=%25252525252Flogin", "the query is escaped more than three times over"),
    ("/calendar/2041/5", "a date more than 10 years ahead: 2041-05"),
    ("/calendar/2036/7", "a date more than 10 years ahead: 2036-07"),
    ("/2041/05/", "a date more than 10 years ahead: 2041-05"),
    ("/2041/05/17", "a date more than 10 years ahead: 2041-05-17"),
    ("/events/2041-05-17", "a date more than 10 years ahead: 2041-05-17"),
    ("/de/kalender?jahr=2041&monat=5", "a date more than 10 years ahead: 2041-05"),
    ("/x.php?month=12&year=9999", "a date more than 10 years ahead: 9999-12"),
    ("/x.php?tribe-bar-year=2041&tribe-bar-month=3", "a date more than 10 years ahead: 2041-03"),
    ("/x.php?calyear=2041&calmonth=3", "a date more than 10 years ahead: 2041-03"),
    ("/calendar?date=20410517", "a date more than 10 years ahead: 2041-05-17"),
    ("/e?start=2041-05-17T00:00", "a date more than 10 years ahead: 2041-05-17"),
    ("/calendar/1066/10", "a calendar before 1900: 1066-10"),
    ("/agenda?date=1899-12-31", "a calendar before 1900: 1899-12-31"),
    ("/calendar.php?year=0003&month=1", "a calendar before 1900: 0003-01"),
]

HONEST = [
    "/",
    "/a/a/a",
    "/a/b/a/b",
    "/0/0/0/0/0/0/0",
    "/tiles/0/0/0.png",
    "/product/123",
    "/product/20991231",
    "/reviews/2099/1/",
    "/t/some-topic/2048/12",
    "/9909/03/embrace/",
    "/9810/09/12/x.html",
    "/abs/2105.04321",
    "/2512/05/",
    "/download?fileOId=788031&recordOId=709309",
    "/x?a=2047&m=5",
    "/movies?year=2031",
    "/paper/1865/04/15/page-1/",
    "/1776-07-04",
    "/tutorials/1132/1/",
    "/calendar/2026/6",
    "/calendar/1900/01",
    "/2019/05/17/title",
    "/part/2110-05.html",
    "/c/commit?id=4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "/x/2f1c9047-2047-4a05-8c11-0123456789ab",
    "/api/org/apache/a/b/c/d/e/f/g/h/i/j/k/l/m/n/Class.Inner.html",
    "/blob/main/server/src/main/java/org/x/server/src/main/java/org/x/A.java",
    "/?type[]=1&type[]=2&type[]=3&type[]=4&type[]=5",
    "/?&&&&&",
    "/" + "/".join(f"s{n}" for n in range(32)),
    "/?" + "&".join(f"p{n}={n}" for n in range(50)),
]


@pytest.mark.parametrize(("rest", "detail"), TRAPS, ids=[rest[:40] for rest, _ in TRAPS])
def test_a_trap_is_told_by_its_url(rest, detail):
    """A URL that no honest site has is refused as a trap, and the detail says in words what it shows."""
    assert traps.judge("https://a.example" + rest, TODAY) == (Reason.TRAP, detail)


@pytest.mark.parametrize("rest", HONEST, ids=[rest[:40] for rest in HONEST])
def test_what_honest_sites_have_passes(rest):
    """Ids that look like years, tiles, source trees, newspapers of two centuries ago, filters: nothing is cut."""
    assert traps.judge("https://a.example" + rest, TODAY) is None


@pytest.mark.parametrize("authority", ["2031-05-17.example", "a.example:2031"])
def test_only_path_and_query_are_read(authority):
    """A host name or port that reads as a date is none."""
    assert traps.judge(f"https://{authority}/05/", TODAY) is None


@needs_shared
def test_real_urls_pass():
    """Of 10,000 real URLs none is cut."""
    cut = []
    for line in (SHARED / "url" / "kasztp-10000.txt").read_text(encoding="utf-8").splitlines():
        try:
            url = urls.canonical(line)
        except UrlError:
            continue
        if verdict := traps.judge(url, TODAY):
            cut.append((url, verdict.detail))
    assert cut == []


@given(st.text(alphabet="/?&=;%-_.aA12()05x", max_size=300), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_any_url_is_judged(rest, times):
    """Whatever stands in a URL, there is a verdict of short words or none, and no error."""
    url = urls.canonical("https://a.example/" + rest * times)
    verdict = traps.judge(url, TODAY)
    assert verdict is None or (verdict.reason is Reason.TRAP and len(verdict.detail) < 160)


HOSTILE = [
    "/a",
    "/1",
    "-",
    "1-",
    "2047-",
    "2047/",
    "?",
    "?a_",
    "&",
    "&a=1",
    "&year=",
    "?;x",
    "%2525",
    "sid=",
    ";",
    "/(",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("start", ["", "?"], ids=["path", "query"])
def test_the_longest_urls_cost_little(start, piece):
    """The longest URL of any repeated piece is judged, shaped and stripped within a tenth of a second."""
    url = ("https://a.example/" + start + piece * urls.LONGEST)[: urls.LONGEST - 6] + "2047-1"
    for function in (lambda url: traps.judge(url, TODAY), traps.shape, traps.skeleton):
        began = process_time()
        function(url)
        assert process_time() - began < 0.1  # what is quadratic here takes seconds
