"""What became of a URL: tables of answers and what is made of them."""

from dataclasses import replace

import pytest

from scraper import outcome, urls
from scraper.errors import BreakerOpen, ParseError, PermanentFetchError, RetryLater, TransientFetchError
from scraper.model import CrawlUrl, Entry, Kind, Link, Listing, ParsedPage, Reason, Record, Response, UrlState, Verdict
from scraper.scope import Patterns, Scope

HERE = "http://a.example/dir/page?q=1"
NOW = 1000.0


def asked(**fields):
    """A URL that was handed out."""
    return CrawlUrl(1, fields.pop("url", HERE), fields.pop("host", "http://a.example"), **fields)


def redirect(location, *, url=None, status=302, patterns=Patterns(), scope=None):  # noqa: B008 - frozen
    """The visit that a redirect makes."""
    url = url or asked()
    headers = () if location is None else (("location", location),)
    return outcome.redirected(
        url, Response(url.url, status, headers, attempts=2), patterns, scope or Scope("host", ["a.example"])
    )


def link(url, verdict=None):
    """A link as the workers send it."""
    return Link(url, urls.host(url), urls.key(url), verdict=verdict)


def page(*links, **fields):
    """A parsed page."""
    return ParsedPage("utf-8", "0" * 32, links=tuple(map(link, links)), **fields)


# --- redirects ---


@pytest.mark.parametrize("status", sorted(outcome.REDIRECTS))
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("next", "http://a.example/dir/next"),
        ("/next", "http://a.example/next"),
        ("../x/./y", "http://a.example/x/y"),
        ("?q=2", "http://a.example/dir/page?q=2"),
        ("http://a.example/next", "http://a.example/next"),
        ("//a.example/next", "http://a.example/next"),
        ("HTTP://A.EXAMPLE:80/Next#top", "http://a.example/Next"),
        ("https://a.example/", "https://a.example/"),
        ("  /next ", "http://a.example/next"),
        ("/na\u00efve path", "http://a.example/na%C3%AFve%20path"),
        ("http://me:secret@a.example/next", "http://a.example/next"),
    ],
)
def test_redirect(status, location, target):
    """A redirect ends the URL; its target is found like a link, canonical and without userinfo."""
    visit = redirect(location, status=status)
    assert (visit.state, visit.reason, visit.detail) == (UrlState.REDIRECTED, None, str(status))
    assert visit.redirect_to == target
    assert visit.found == (link(target),)
    assert (visit.attempts, visit.root, visit.page) == (2, None, None)


@pytest.mark.parametrize(
    ("location", "detail"),
    [
        (None, "302 without a Location"),
        ("", "302 without a Location"),
        ("http://", "302 to what"),
        ("//", "302 to what"),
        ("http://[::1", "302 to what"),
        ("http://a.example:99999/", "302 to what"),
        ("http://ex%00ample/", "302 to what"),
    ],
)
def test_redirect_nowhere(location, detail):
    """A redirect without a usable target is `failed protocol`, and nothing is found."""
    visit = redirect(location)
    assert (visit.state, visit.reason) == (UrlState.FAILED, Reason.PROTOCOL)
    assert visit.detail.startswith(detail)
    assert visit.found == ()


@pytest.mark.parametrize(
    "location",
    ["ftp://a.example/", "mailto:a@b.example", "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x"],
)
@pytest.mark.parametrize("seed", [True, False])
def test_redirect_to_another_scheme(location, seed):
    """A target that is neither http nor https is a row `skipped scheme`, and widens no scope."""
    visit = redirect(location, url=asked(seed=seed))
    assert visit.state is UrlState.REDIRECTED
    assert [found.verdict.reason for found in visit.found] == [Reason.SCHEME]
    assert visit.root is None


@pytest.mark.parametrize(
    ("location", "via"),
    [
        (HERE, ()),
        ("#fragment", ()),
        ("http://a.example/first", ("http://a.example/first",)),
        ("/first", ("http://a.example/first", "http://a.example/second")),
    ],
    ids=["to itself", "to a fragment of itself", "A B A", "A B C A"],
)
def test_redirect_loop(location, via):
    """A redirect back into its own chain is `failed redirect-loop` and names where it leads."""
    visit = redirect(location, url=asked(via=via))
    assert (visit.state, visit.reason) == (UrlState.FAILED, Reason.REDIRECT_LOOP)
    assert visit.redirect_to == urls.canonical(location, HERE)
    assert visit.detail == f"leads back to {visit.redirect_to}"
    assert visit.found == ()


@pytest.mark.parametrize(("hops", "state"), [(9, UrlState.REDIRECTED), (10, UrlState.FAILED)])
def test_redirect_chain(hops, state):
    """Ten redirects in a row are followed, the eleventh is not."""
    visit = redirect("/next", url=asked(via=tuple(f"http://a.example/{n}" for n in range(hops))))
    assert visit.state is state
    assert (visit.reason, visit.detail) in {(None, "302"), (Reason.REDIRECT_LOOP, "more than 10 redirects")}


@pytest.mark.parametrize(
    ("kind", "roots", "target", "root"),
    [
        ("host", ["a.example"], "https://www.a.example/x", "www.a.example"),
        ("host", ["a.example"], "http://b.example:8080/", "b.example:8080"),
        ("domain", ["a.example"], "https://shop.b.example/x", "b.example"),
        ("prefix", ["a.example/dir/"], "https://b.example/docs/start.html", "b.example/docs/"),
    ],
)
def test_redirect_of_a_seed(kind, roots, target, root):
    """A seed's redirect leads out of the scope, and its target counts as a root from then on."""
    scope = Scope(kind, roots)
    visit = redirect(target, url=asked(seed=True), scope=scope)
    assert visit.found == (link(target),)
    assert visit.root == root
    scope.add(visit.root)
    assert scope.judge(target, urls.host(target)) is None


def test_redirect_of_another():
    """The redirect of a URL that is no seed out of the scope is a row `skipped scope`."""
    visit = redirect("https://b.example/")
    assert visit.state is UrlState.REDIRECTED
    assert visit.found == (link("https://b.example/", Verdict(Reason.SCOPE, "other host")),)
    assert visit.root is None


@pytest.mark.parametrize("seed", [True, False])
def test_redirect_to_what_is_excluded(seed):
    """A target that the patterns exclude is a row `skipped scope`, a seed's too, and widens nothing."""
    visit = redirect("https://b.example/private", url=asked(seed=seed), patterns=Patterns(exclude=("private",)))
    assert visit.found[0].verdict == Verdict(Reason.SCOPE, "matches --exclude private")
    assert visit.root is None


# --- pages ---


@pytest.mark.parametrize(
    ("at", "depth", "found", "beyond"),
    [(0, 0, 0, 3), (0, 1, 3, 0), (1, 1, 0, 3), (4, 5, 3, 0), (5, 5, 0, 3), (6, 5, 0, 3)],
)
def test_depth(at, depth, found, beyond):
    """Links of a page above the depth limit are found, those of one at the limit only counted."""
    links = ["http://a.example/1", "http://a.example/2", "http://b.example/"]
    visit = outcome.fetched(asked(depth=at), Response(HERE, 200), page(*links), tuple, depth=depth, obey_noindex=True)
    assert (len(visit.found), visit.beyond_depth) == (found, beyond)


@pytest.mark.parametrize(("at", "beyond"), [(0, 0), (1, 2)])
def test_follow(at, beyond):
    """A link that a rule follows is found at the depth limit too."""
    parsed = page("http://a.example/1", "http://a.example/2")
    parsed = replace(parsed, links=(*parsed.links, link("http://a.example/next")._replace(follow=True)))
    visit = outcome.fetched(asked(depth=at), Response(HERE, 200), parsed, tuple, depth=1, obey_noindex=True)
    assert visit.found[-1].url == "http://a.example/next"
    assert (len(visit.found), visit.beyond_depth) == (3 - beyond, beyond)


def test_links_are_judged():
    """A link out of scope has a verdict."""
    scope = Scope("host", ["a.example"])
    found = [
        outcome.Judge(asked(), Patterns(), scope, varies=False, is_copy=False)(link(url)).verdict
        for url in ("http://a.example/1", "http://b.example/")
    ]
    assert found == [None, Verdict(Reason.SCOPE, "other host")]


@pytest.mark.parametrize("obey", [True, False])
def test_noindex(obey):
    """A page that asks not to be kept is not, if that is obeyed; its links are followed all the same."""
    parsed = page("http://a.example/1", noindex=True, records=(Record("rule", 0, {}),))
    visit = outcome.fetched(asked(), Response(HERE, 200, attempts=3), parsed, tuple, depth=1, obey_noindex=obey)
    if obey:
        assert (visit.state, visit.reason, visit.detail) == (UrlState.SKIPPED, Reason.ROBOTS, "noindex")
        assert (visit.page, visit.records) == (None, ())
    else:
        assert (visit.state, visit.reason, visit.page) == (UrlState.FETCHED, None, parsed)
    assert len(visit.found) == 1
    assert visit.attempts == 3


@pytest.mark.parametrize(
    ("note", "replacements", "detail"),
    [
        (None, 0, None),
        ("no Content-Length", 0, "no Content-Length"),
        (None, 2, "2 characters could not be decoded as utf-8"),
        ("no Content-Length", 1, "no Content-Length; 1 characters could not be decoded as utf-8"),
    ],
)
def test_oddities(note, replacements, detail):
    """What is odd about a page stands in its detail."""
    visit = outcome.fetched(
        asked(),
        Response(HERE, 200, note=note),
        page(replacements=replacements),
        tuple,
        depth=0,
        obey_noindex=True,
    )
    assert (visit.state, visit.detail) == (UrlState.FETCHED, detail)


# --- no page ---


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (Reason.ROBOTS, UrlState.SKIPPED),
        (Reason.HOST_DOWN, UrlState.FAILED),
    ],
)
def test_refused(reason, state):
    """A URL that is not asked ends by its verdict and is not charged."""
    visit = outcome.refused(asked(attempts=2, tried_at=5.0), Verdict(reason, "why"))
    assert (visit.state, visit.reason, visit.detail) == (state, reason, "why")
    assert (visit.attempts, visit.tried_at, visit.response) == (2, 5.0, None)


FAILURE = TransientFetchError(HERE, Reason.TIMEOUT, "first byte")


@pytest.mark.parametrize(
    ("why", "attempts", "due_at", "tried_at", "detail"),
    [
        (RetryLater(HERE, NOW + 9, 3, FAILURE), 3, NOW + 9, NOW, "timeout: first byte"),
        (RetryLater(HERE, NOW - 9, 3, FAILURE), 3, NOW, NOW, "timeout: first byte"),
        (BreakerOpen("http://a.example", NOW + 9), 1, NOW + 9, None, None),
        (BreakerOpen("http://a.example", NOW - 9), 1, NOW, None, None),
        (None, 1, NOW, None, None),
    ],
    ids=["later", "late already", "breaker", "breaker just closed", "workers stopped"],
)
def test_given_back(why, attempts, due_at, tried_at, detail):
    """A URL that is given back stays queued until it is due; only an attempt charges it and starts its time."""
    visit = outcome.given_back(asked(attempts=1), why, NOW)
    assert (visit.state, visit.reason, visit.detail) == (UrlState.QUEUED, None, detail)
    assert (visit.attempts, visit.due_at, visit.tried_at) == (attempts, due_at, tried_at)


def test_the_first_attempt_counts():
    """The time of the first attempt stays, whatever comes after."""
    url = asked(attempts=1, tried_at=5.0)
    assert outcome.given_back(url, RetryLater(HERE, NOW, 2, FAILURE), NOW).tried_at == 5.0
    assert outcome.failed(url, FAILURE, NOW).tried_at == 5.0


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (Reason.TLS, UrlState.FAILED),
        (Reason.DNS, UrlState.FAILED),
        (Reason.HTTP_5XX, UrlState.FAILED),
        (Reason.PRIVATE_ADDRESS, UrlState.SKIPPED),
    ],
)
def test_failed(reason, state):
    """A URL that cannot be fetched ends as its reason says, with the attempts it took."""
    error = PermanentFetchError(HERE, reason, "exactly this")
    error.attempts = 4
    visit = outcome.failed(asked(), error, NOW)
    assert (visit.state, visit.reason, visit.detail) == (state, reason, "exactly this")
    assert (visit.attempts, visit.tried_at, visit.page) == (4, NOW, None)


def test_unparsed():
    """A page that cannot be parsed is `failed parse`, and its answer is kept."""
    response = Response(HERE, 200, attempts=2)
    visit = outcome.unparsed(asked(), response, ParseError(HERE, "timeout: over 10 s"))
    assert (visit.state, visit.reason, visit.detail) == (UrlState.FAILED, Reason.PARSE, "timeout: over 10 s")
    assert (visit.attempts, visit.response, visit.page) == (2, response, None)


# --- what a page or a listing names ---


def of_a_page(url, **fields):
    """The judge of the links of a page."""
    varies = fields.pop("varies", True)
    return outcome.Judge(asked(url=url, **fields), Patterns(), Scope("any"), varies=varies, is_copy=False)


@pytest.mark.parametrize(
    ("page_url", "target", "generation"),
    [
        ("http://a.example/list?page=1", "http://a.example/list?page=2", 5),
        ("http://a.example/list?page=1", "http://a.example/about", 0),
        ("http://a.example/list?page=1", "http://b.example/list?page=2", 0),
        ("http://a.example/about", "http://a.example/contact", 0),
    ],
)
def test_generations(page_url, target, generation):
    """A link to a URL of its page's own shape is one generation on; any other begins anew."""
    assert of_a_page(page_url, generation=4)(link(target)).generation == generation


def test_what_leads_on_from_a_copy():
    """Links of a page that is like another of its shape are one generation on whatever their shape."""
    judge = outcome.Judge(
        asked(url="http://a.example/1", generation=2), Patterns(), Scope("any"), varies=True, is_copy=True
    )
    assert judge(link("http://a.example/about")).generation == 3


def test_what_a_rule_follows_has_no_generation():
    """Pagination that a rule follows is no trap."""
    found = link("http://a.example/list?page=2")._replace(follow=True)
    assert of_a_page("http://a.example/list?page=1", generation=400)(found).generation == 0


@pytest.mark.parametrize("varies", [True, False])
def test_generations_are_of_shapes_that_vary(varies):
    """Where nothing has the shape of the page, no link has a generation."""
    judge = of_a_page("http://a.example/list?page=1", generation=4, varies=varies)
    assert judge(link("http://a.example/list?page=2")).generation == (5 if varies else 0)


def test_preferred_links():
    """A link that matches `prefer` goes first, unless it is out of scope."""
    judge = outcome.Judge(
        asked(), Patterns(prefer=("/news/",)), Scope("host", ["a.example"]), varies=False, is_copy=False
    )
    assert judge(link("http://a.example/news/1")).priority == 1
    assert judge(link("http://a.example/old/1")).priority == 0
    assert judge(link("http://b.example/news/1")).verdict == Verdict(Reason.SCOPE, "other host")


@pytest.mark.parametrize("kind", list(Kind))
def test_a_redirect_keeps_its_kind(kind):
    """The target of a sitemap that moved is a sitemap, and like an index's entry on any host; it is no root."""
    visit = redirect("http://b.example/new", url=asked(kind=kind, seed=True, generation=3))
    assert visit.state is UrlState.REDIRECTED
    assert (visit.found[0].kind, visit.found[0].generation, visit.found[0].verdict) == (kind, 3, None)
    assert visit.root == ("b.example" if kind is Kind.PAGE else None)


STRIPPING = Patterns(strip=urls.Stripping(("utm_*",)))


@pytest.mark.parametrize(
    ("here", "location", "target"),
    [
        ("http://a.example/x", "/y?utm_source=1&b=2", "http://a.example/y?b=2"),
        ("http://a.example/x", "/x?utm_source=1", "http://a.example/x?utm_source=1"),
        ("http://a.example/x?utm_source=1", "/x", "http://a.example/x"),
    ],
    ids=["stripped", "the server insists", "back"],
)
def test_a_redirect_is_stripped(here, location, target):
    """A redirect's target is stripped, but for one that would lead back into its own chain."""
    visit = redirect(location, url=asked(url=here), patterns=STRIPPING)
    assert (visit.state, visit.redirect_to, visit.found[0].url) == (UrlState.REDIRECTED, target, target)


def test_a_redirect_that_insists_twice():
    """A chain that leads back to what it was led to as it stands is a loop, stripped or not."""
    here = asked(url="http://a.example/x?utm_source=1", via=("http://a.example/x",))
    visit = redirect("/x?utm_source=1", url=here, patterns=STRIPPING)
    assert (visit.state, visit.reason) == (UrlState.FAILED, Reason.REDIRECT_LOOP)


OTHER = Verdict(Reason.SCOPE, "other host")


@pytest.mark.parametrize(
    ("entry", "verdict", "priority"),
    [
        (Entry("http://a.example/1"), None, 0),
        (Entry("http://b.example/1"), OTHER, 0),
        (Entry("http://m.example/sub.xml", kind=Kind.SITEMAP), None, 0),
        (Entry("http://b.example/sub.xml", kind=Kind.SITEMAP), OTHER, 0),
        (Entry("http://m.example/1"), OTHER, 0),
        (Entry("http://a.example/private"), Verdict(Reason.SCOPE, "matches --exclude private"), 0),
        (Entry("http://a.example/news"), None, 1),
        (Entry("http://a.example/x/x/x/x/x"), Verdict(Reason.TRAP, "/x repeats in the path"), 0),
    ],
)
def test_entered(entry, verdict, priority):
    """An entry is judged like a link; a sitemap on the host of its index need not be in scope, its pages must."""
    patterns, scope = Patterns(exclude=("private",), prefer=("news",)), Scope("host", ["a.example"])
    found = outcome.entered(entry, asked(url="http://m.example/map.xml", host="http://m.example"), patterns, scope)
    assert (found.verdict, found.priority, found.kind) == (verdict, priority, entry.kind)


@pytest.mark.parametrize(("kind", "deepest"), [(Kind.SITEMAP, 2), (Kind.FEED, 100)])
def test_listings_do_not_nest_for_ever(kind, deepest):
    """An index may name indexes, and a feed its next page, only so often in a row; pages are no matter how deep."""
    entries = [Entry("http://a.example/next", kind=kind), Entry("http://a.example/page")]
    for generation, ends in ((deepest - 1, False), (deepest, True)):
        listing = asked(kind=kind, generation=generation)
        nested, page = [outcome.entered(entry, listing, Patterns(), Scope("any")) for entry in entries]
        assert (nested.verdict is not None) is ends
        assert nested.generation == generation + 1
        assert (page.verdict, page.generation) == (None, 0)


def test_entered_is_stripped():
    """An entry is stripped like a link, and keeps its lastmod."""
    entry = Entry("http://a.example/1?utm_source=1", lastmod=NOW)
    found = outcome.entered(entry, asked(), STRIPPING, Scope("any"))
    assert (found.url, found.key, found.lastmod) == ("http://a.example/1", urls.key("http://a.example/1"), NOW)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({}, "1 URLs"),
        ({"bad": 2}, "1 URLs; 2 entries that are no URL"),
        ({"beyond": 3, "note": "cut off"}, "1 URLs; 3 more than a sitemap may have; cut off"),
    ],
)
def test_listed(fields, detail):
    """A listing is a fetched URL of its kind, whose detail tells how many URLs it names and what is wrong with it."""
    listing = Listing(Kind.SITEMAP, (Entry("http://a.example/1"),), **fields)
    visit = outcome.listed(asked(), Response(HERE, 200, attempts=2), listing, [link("http://a.example/1")])
    assert (visit.state, visit.reason, visit.detail) == (UrlState.FETCHED, None, detail)
    assert (visit.kind, visit.is_listing, visit.attempts, len(visit.found)) == (Kind.SITEMAP, True, 2, 1)


def test_unchanged():
    """A 304 leaves the page as it is stored, with nothing new to follow."""
    visit = outcome.unchanged(asked(), Response(HERE, 304, attempts=1))
    assert (visit.state, visit.detail, visit.page, visit.found) == (UrlState.FETCHED, "304 Not Modified", None, ())
