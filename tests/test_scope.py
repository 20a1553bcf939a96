"""May this URL be crawled? Tables of URLs and verdicts."""

import pickle
from datetime import date

import pytest

from scraper import scope as scope_module
from scraper import urls
from scraper.model import Reason, Verdict
from scraper.scope import Patterns, Scope

OTHER_HOST = Verdict(Reason.SCOPE, "other host")
OTHER_DOMAIN = Verdict(Reason.SCOPE, "other domain")
OUTSIDE = Verdict(Reason.SCOPE, "outside the prefix")


def of(kind: str, *seeds: str) -> Scope:
    """Make the scope of these seeds."""
    scope = Scope(kind)
    for seed in seeds:
        scope.add(scope.root_of(seed))
    return scope


def judged(scope: Scope, url: str) -> Verdict | None:
    """Judge a URL on its own host."""
    return scope.judge(url, urls.host(url))


@pytest.mark.parametrize(
    ("kind", "seed", "url", "verdict"),
    [
        ("host", "https://example.com/a", "https://example.com/b/c?d", None),
        ("host", "https://example.com/", "http://example.com/", None),
        ("host", "http://example.com/", "https://example.com/", None),
        ("host", "http://example.com/", "http://example.com:8080/", OTHER_HOST),
        ("host", "http://example.com:8080/", "https://example.com:8080/", None),
        ("host", "http://example.com:8080/", "http://example.com/", OTHER_HOST),
        ("host", "https://example.com/", "https://www.example.com/", OTHER_HOST),
        ("host", "https://example.com/", "https://example.com.evil.test/", OTHER_HOST),
        ("host", "https://example.com/", "https://notexample.com/", OTHER_HOST),
        ("host", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/x", None),
        ("host", "http://127.0.0.1:8000/", "http://127.0.0.1:8001/x", OTHER_HOST),
        ("host", "http://[::1]/", "https://[::1]/x", None),
        ("domain", "https://www.example.co.uk/", "https://shop.example.co.uk:444/", None),
        ("domain", "https://www.example.co.uk/", "https://other.co.uk/", OTHER_DOMAIN),
        ("domain", "https://me.github.io/", "https://you.github.io/", OTHER_DOMAIN),
        ("domain", "https://example.com/", "https://example.com./", None),
        ("domain", "http://127.0.0.1/", "http://127.0.0.1:81/", None),
        ("domain", "http://127.0.0.1/", "http://126.0.0.1/", OTHER_DOMAIN),
        ("domain", "http://[2001:db8::1]/", "http://[2001:db8::2]/", OTHER_DOMAIN),
        ("domain", "http://localhost/", "http://localhost:8000/", None),
        ("prefix", "https://example.com/docs/index.html", "http://example.com/docs/a/b?c", None),
        ("prefix", "https://example.com/docs/index.html", "https://example.com/docs/", None),
        ("prefix", "https://example.com/docs/index.html", "https://example.com/docs", OUTSIDE),
        ("prefix", "https://example.com/docs/index.html", "https://example.com/docs2/", OUTSIDE),
        ("prefix", "https://example.com/docs/index.html", "https://example.com/?/docs/", OUTSIDE),
        ("prefix", "https://example.com/docs/", "https://example.com:81/docs/", OUTSIDE),
        ("prefix", "https://example.com/docs/", "https://example.com/docs/?a=/b/c", None),
        ("prefix", "https://example.com/docs/", "https://www.example.com/docs/", OUTSIDE),
        ("prefix", "https://example.com/a?b=/c/d", "https://example.com/x", None),
        ("prefix", "https://example.com/", "https://example.com/x/y", None),
        ("any", "https://example.com/", "ftp://elsewhere.test/", None),
    ],
)
def test_each_kind_reaches_as_far_as_its_name_says(kind, seed, url, verdict):
    """A URL is within the scope if it has the seed's host, domain or prefix, http and https alike."""
    assert judged(of(kind, seed), url) == verdict


@pytest.mark.parametrize(
    ("kind", "root"),
    [
        ("host", "example.co.uk:8080"),
        ("domain", "example.co.uk"),
        ("prefix", "example.co.uk:8080/a/"),
        ("any", ""),
    ],
)
def test_a_root_is_a_text_that_a_crawl_can_keep(kind, root):
    """A scope made from roots that were kept judges like the one they came from."""
    assert Scope(kind).root_of("https://example.co.uk:8080/a/b?c=/d") == root
    assert judged(Scope(kind, [root]), "http://example.co.uk:8080/a/z") is None


@pytest.mark.parametrize("kind", ["host", "domain", "prefix"])
def test_a_scope_without_roots_holds_nothing(kind):
    """Until a root is added, every URL is outside."""
    assert judged(Scope(kind), "https://example.com/") is not None


@pytest.mark.parametrize("kind", ["host", "domain", "prefix"])
def test_a_root_that_is_added_changes_answers_already_given(kind):
    """A host that was outside is inside once a redirected seed has made it a root."""
    scope = of(kind, "http://example.com/")
    assert judged(scope, "https://www.example.net/") is not None
    scope.add(scope.root_of("https://www.example.net/"))
    assert judged(scope, "https://www.example.net/") is None
    assert judged(scope, "http://example.com/") is None


def test_many_prefixes_on_one_host_stay_apart():
    """Every seed keeps its own prefix; what lies between them is outside."""
    scope = of("prefix", *(f"https://example.com/{number}/" for number in range(1000)))
    assert judged(scope, "https://example.com/777/x/y") is None
    assert judged(scope, "https://example.com/1000/") == OUTSIDE


class _Counting(set):
    looks = 0

    def __contains__(self, root):
        self.looks += 1
        return super().__contains__(root)


def test_a_url_of_thousands_of_folders_costs_no_more_than_the_deepest_root():
    """A page cannot make the scope slow by linking to very deep paths."""
    scope = of("prefix", "https://example.com/a/b/")
    scope._roots = _Counting(scope._roots)
    assert judged(scope, "https://example.com/" + "x/" * 4000) == OUTSIDE
    assert scope._roots.looks <= 5


def test_remembered_hosts_are_bounded(monkeypatch):
    """However many hosts are linked to, only so many answers are kept, and each is still right."""
    monkeypatch.setattr(scope_module, "REMEMBERED", 3)
    scope = of("host", "https://h5.test/")
    answers = [judged(scope, f"https://h{number}.test/") for number in range(10)]
    assert answers == [None if number == 5 else OTHER_HOST for number in range(10)]
    assert len(scope._answers) <= 3


def test_a_scope_shows_its_roots():
    """The repr names kind and roots."""
    assert repr(of("host", "https://b.test/", "https://a.test/")) == "Scope('host', ['a.test', 'b.test'])"


@pytest.mark.parametrize(
    ("include", "exclude", "url", "verdict"),
    [
        ((), (), "https://example.com/", None),
        ((), (), "mailto:a@example.com", Verdict(Reason.SCHEME)),
        ((), (), "file:///etc/passwd", Verdict(Reason.SCHEME)),
        ((), (), "javascript:void(0)", Verdict(Reason.SCHEME)),
        (("/a/", "/b/"), (), "https://example.com/b/x", None),
        (("/a/", "/b/"), (), "https://example.com/c/", Verdict(Reason.SCOPE, "matches no --include")),
        (("/a/",), (r"\.pdf$",), "https://example.com/a/x.pdf", Verdict(Reason.SCOPE, r"matches --exclude \.pdf$")),
        ((), (r"\.pdf$",), "https://example.com/a/x.pdf?y", None),
    ],
)
def test_patterns_judge_by_the_url_alone(include, exclude, url, verdict):
    """A URL needs http or https, one of the includes if there are any, and none of the excludes."""
    assert Patterns(include, exclude).judge(url) == verdict


@pytest.mark.parametrize(
    ("rest", "options", "verdict"),
    [
        ("a/a/a/a", {}, Verdict(Reason.TRAP, "/a repeats in the path")),
        ("a/a/a/a", {"traps": False}, None),
        ("a/a/a/a", {"exclude": ("/a",)}, Verdict(Reason.SCOPE, "matches --exclude /a")),
        (
            "2041/05/17",
            {"today": date(2025, 6, 15)},
            Verdict(Reason.TRAP, "a date more than 10 years ahead: 2041-05-17"),
        ),
        ("2031/05/17", {"today": date(2030, 6, 15)}, None),
        ("a/b", {}, None),
    ],
)
def test_patterns_judge_traps_last(rest, options, verdict):
    """A URL that shows a trap is refused unless that is switched off; copies sent to a worker judge alike."""
    patterns = Patterns(**options)
    assert patterns.judge(f"https://example.com/{rest}") == verdict
    assert pickle.loads(pickle.dumps(patterns)).judge(f"https://example.com/{rest}") == verdict


def test_calendars_are_measured_by_the_day_patterns_are_made():
    """Without a day given, a date in this year passes, and one far ahead does not."""
    assert Patterns().judge(f"https://example.com/calendar/{Patterns().today.year}/01") is None
    assert Patterns().judge("https://example.com/calendar/9000/01").reason is Reason.TRAP
