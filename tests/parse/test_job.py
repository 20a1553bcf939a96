import dataclasses
import gc
import pickle
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.model import Link, ParsedPage, Reason, Record, Response, Verdict
from scraper.parse import extractor, job
from scraper.parse.makers import Makers
from scraper.scope import Patterns

if job.sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = (
    "<html lang=en><title>T</title><meta name=description content=D><meta name=robots content=noindex>"
    "<p>größe <a href=/a rel=nofollow>A</a> <a href=/b>B</a> <a href=http://[>C</a>"
).encode()
RESPONSE = Response("http://a.test/", 200, (("content-type", "text/html; charset=utf-8"),), BODY)
BUILTIN = (type(None), bool, int, float, str, bytes)


@extractor()
def heading(page):
    """Make one record of a page."""
    yield {"t": page.soup.title.string, "links": len(page.links)}


def told(*, extractors=(), rules="", **options):
    """The settings of a job."""
    makers = Makers((("rules.toml", rules),) if rules else (), tuple(extractors))
    return job.Settings(Patterns(), makers=makers, **options)


def parsed(response=RESPONSE, **options):
    """Parse a page as a worker does, and take it back as the crawl does."""
    kind, values = job.answer(job.asked(response), told(**options))
    assert kind == "page", values
    return job.as_page(values)


def test_page():
    """A page comes back with all that is promised of it."""
    page = parsed(extractors=(heading,))
    assert zstd.decompress(page.body) == BODY
    key = page.links[0].key
    assert page == ParsedPage(
        charset="utf-8",
        content_hash=blake2b(BODY, digest_size=16).hexdigest(),
        title="T",
        description="D",
        lang="en",
        text="größe A B C",
        links=(
            Link("http://a.test/a", "http://a.test", key, "A", "nofollow", Verdict(Reason.NOFOLLOW, "rel=nofollow")),
            Link("http://a.test/b", "http://a.test", page.links[1].key, "B"),
        ),
        bad_links=1,
        records=(Record("heading", 0, {"t": "T", "links": 2}),),
        body=page.body,
        size=len(BODY),
        noindex=True,
        headings=(),
        matched=(("heading", 1),),
    )
    assert isinstance(page.links[0].verdict, Verdict)
    assert parsed(bodies=False).body is None
    assert parsed(nofollow=False).links[0].verdict is None


def test_robots():
    """A page is asked what it wants of our own name, at the moment of the parse."""
    html = b"<meta name=bookworm content='unavailable_after: 1970-01-02'><a href=/a>A</a>"
    for agent, moment, noindex in (("BookWorm", 1e6, True), ("BookWorm", 1.0, False), ("scraper", 1e6, False)):
        page = parsed(Response("http://a.test/", 200, RESPONSE.headers, html), agent=agent, clock=lambda at=moment: at)
        assert page.noindex is noindex
    assert parsed(Response("http://a.test/", 200, RESPONSE.headers, html), agent="bookworm").noindex


def test_replacements():
    """Bad bytes are counted."""
    assert parsed(Response("http://a.test/", 200, RESPONSE.headers, b"<p>a\xff\xff")).replacements == 2


@pytest.mark.parametrize("extractors", [(), (extractor("http://b.test/*")(heading.function),)], ids=["none", "other"])
def test_no_soup(monkeypatch, extractors):
    """Where no extractor touches the soup, none is made; what is read of the page is the same."""
    with_soup = parsed(extractors=(heading,))

    def never(*_):
        raise AssertionError("a soup was made")

    monkeypatch.setattr("scraper.parse.soup.make_soup", never)
    without = parsed(extractors=extractors)
    assert dataclasses.replace(with_soup, records=(), matched=()) == without


RULES = """
[[rule]]
name = "word"
each = "a"
fields.word = "."
[rule.follow]
select = "a[href='/b'], link"

[[rule]]
name = "other"
match = "*/other"
fields.word = "p"

[[rule]]
name = "none"
each = "h1"
fields.word = "."
"""


def test_rules():
    """Rules make records beside extractors; who took the page is told, also if it found nothing."""
    page = parsed(rules=RULES, extractors=(heading,))
    assert [(record.rule, record.position) for record in page.records] == [
        *(("word", number) for number in range(3)),
        ("heading", 0),
    ]
    assert page.records[1].data == {"word": "B"}
    assert page.matched == (("word", 3), ("none", 0), ("heading", 1))


def test_follow():
    """What a rule follows is marked among the links, and added where it is not among them."""
    link = b"<link rel=other href=/c><link href='mailto:x@y'><link href=/c#again><link href='http://['>"
    page = parsed(Response("http://a.test/", 200, RESPONSE.headers, BODY + link), rules=RULES)
    assert [(one.url, one.follow) for one in page.links] == [
        ("http://a.test/a", False),
        ("http://a.test/b", True),
        ("http://a.test/c", True),
    ]
    assert page.links[2].host == "http://a.test"


def test_canonical_and_pointers():
    """A page comes back with the URL it calls its own, which is a link of it, and with its feeds if they are wanted."""
    html = b"<link rel=canonical href='/c?u=1'><link rel=alternate type=application/rss+xml href=/f><a href=/b>"
    response = Response("http://a.test/", 200, (("refresh", "1; url=/r"),), html)
    page = parsed(response)
    assert page.canonical == "http://a.test/c?u=1"
    assert [link.url for link in page.links] == ["http://a.test/r", "http://a.test/c?u=1", "http://a.test/b"]
    page = parsed(response, feeds=True, strip=lambda url: url.partition("?")[0], rules=RULES)
    assert [(link.url, link.kind, link.follow) for link in page.links] == [
        ("http://a.test/r", "page", False),
        ("http://a.test/c", "page", True),
        ("http://a.test/f", "feed", True),
        ("http://a.test/b", "page", True),
    ]
    assert parsed().canonical is None


def test_remake():
    """Of a stored body the same records are made as when it was fetched."""
    first, settings = parsed(rules=RULES, extractors=(heading,)), told(rules=RULES, extractors=(heading,))
    stored = (RESPONSE.url, 200, RESPONSE.headers, first.body)
    kind, (records, matched) = job.answer(stored, settings, "remake")
    assert (kind, job.as_records(records), matched) == ("page", first.records, first.matched)
    assert job.answer((RESPONSE.url, 200, (), b"no zstd"), settings, "remake")[0] == "failed"


def test_explain():
    """How rules come to their records is told in the values that the rules make."""
    kind, explained = job.answer(job.asked(RESPONSE), told(rules=RULES), "explain")
    assert kind == "page"
    assert [(rule.rule, rule.takes, rule.found) for rule in explained] == [
        ("word", True, 3),
        ("other", False, 0),
        ("none", True, 0),
    ]


def test_json():
    """A JSON document is a page: its text is stored, rules read it by JMESPath, and it leads where they follow."""
    rules = '[[rule]]\nname = "item"\neach = "items[]"\nfields.name = "name"\nfollow = "next"\n'
    body = b'{"items": [{"name": "a"}, {"name": 2}], "next": "/page/2", "html": "<a href=/x>"}'
    page = parsed(Response("http://a.test/api", 200, (("content-type", "application/json"),), body), rules=rules)
    assert [record.data for record in page.records] == [{"name": "a"}, {"name": 2}]
    assert page.text == body.decode()
    assert [(link.url, link.follow) for link in page.links] == [("http://a.test/page/2", True)]


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_builders(builder):
    """Whichever builder is chosen, the same is read of a page without mistakes."""
    assert parsed(builder=builder) == parsed()


def test_extractor_changes_tree():
    """What an extractor does to the tree does not change what was read of the page."""

    def wreck(page):
        page.soup.body.decompose()
        page.soup.html.clear()

    assert parsed(extractors=(extractor()(wreck),)).text == "größe A B C"


def builtin(value):
    """Tell whether a value is built of built-in types."""
    if isinstance(value, (tuple, list)):
        return all(map(builtin, value))
    if isinstance(value, dict):
        return all(builtin(part) for pair in value.items() for part in pair)
    return type(value) in BUILTIN


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"<p>", b"<title>&#0;&#xd800;", b"<a href='\0", b"<table><a href=x>"]),
)
def test_plain(body, start):
    """Whatever the bytes, what leaves the job is built of built-in types, and its text can be written as UTF-8."""
    response = Response("http://a.test/", 200, (), start + body)
    kind, values = job.answer(job.asked(response), told(extractors=(heading,)))
    assert builtin(values)
    pickle.dumps((kind, values))
    if kind == "page":
        page = job.as_page(values)
        "".join([page.text, page.title or "", *(link.text + link.rel + link.url for link in page.links)]).encode()
        assert "\0" not in page.text
    else:
        assert "heading" in values  # a page without a title


def test_failures():
    """Whatever is raised becomes a text that begins with what failed."""

    def explode(page):
        raise MemoryError

    settings = told(extractors=(extractor()(explode),))
    assert job.answer(job.asked(RESPONSE), settings)[1].startswith("memory: ")
    settings = job.Settings(Patterns(), builder="html.parser")
    kind, why = job.answer(("http://a.test/", 200, (), b"<![x"), settings)
    assert kind == "page" or why.startswith("tree: ")


def test_memory_comes_back():
    """What was made of a page that took too much memory is gone before the next page."""

    class Big:
        alive = 0

        def __init__(self):
            Big.alive += 1
            self.itself = self

        def __del__(self):
            Big.alive -= 1

    def explode(page):
        big = Big()
        raise MemoryError(big)

    gc.disable()
    try:
        answer = job.answer(job.asked(RESPONSE), told(extractors=(extractor()(explode),)))
    finally:
        gc.enable()
    assert answer == ("failed", job.OUT_OF_MEMORY)
    assert Big.alive == 0


def test_a_failure_is_one_maker_s_own():
    """An extractor that fails costs its own records alone: the page, its links and what others made are there."""

    def bad(page):
        raise ValueError("no")

    page = parsed(rules=RULES, extractors=(extractor()(bad), heading))
    assert [record.rule for record in page.records] == ["word", "word", "word", "heading"]
    assert page.failure.startswith("extractor bad: ValueError: no")
    assert page.matched == (("word", 3), ("none", 0), ("heading", 1))
    assert len(page.links) == 2
    stored = (RESPONSE.url, 200, RESPONSE.headers, page.body)
    assert job.answer(stored, told(extractors=(extractor()(bad),)), "remake")[0] == "failed"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<a " * 100_000, id="open-tags"),
        pytest.param(b"<b><i>" * 5_000 + b"</b></i>" * 5_000, id="misnested"),
        pytest.param(b"<div>" * 20_000, id="deep"),
        pytest.param(b"<p a=" + b"x" * 1_000_000, id="long-attribute"),
        pytest.param(b"<p " + b"a=1 " * 100_000 + b">", id="attributes"),
        pytest.param(b"<!--" * 100_000, id="comments"),
        pytest.param(b"<pre>" + b"\n \n" * 100_000 + b"</pre>", id="blank-lines"),
        pytest.param(b"<a href=x>" * 10_000, id="nested-links"),
        pytest.param(b"<meta charset=" * 1_000, id="metas"),
    ],
)
def test_hostile(body):
    """Shapes that take some parsers minutes end within seconds."""
    job.answer(("http://a.test/", 200, (), body), job.Settings(Patterns()))


def test_leaves_nothing():
    """A parsed page leaves nothing to the cyclic collector."""
    parsed(extractors=(heading,))
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            parsed(Response("http://a.test/", 200, (), BODY * 20), extractors=(heading,))
        assert gc.collect() < 100  # some 30,000 if the trees were left
    finally:
        gc.enable()
