"""`scraper try`: one page, nothing stored."""

from __future__ import annotations

import pytest

EXTRACTOR = """
import scraper

@scraper.extractor("*")
def heading(page: scraper.Page):
    yield {"heading": page.soup.h1.get_text(), "note": "\\x1b]0;owned\\x07"}
"""


@pytest.fixture
def attempt(run, site, home):
    """Try a path of the site."""
    (home / "shop.py").write_text(EXTRACTOR)
    return lambda path, *options: run("try", site.url(path), "--parse-workers", 0, *options)


def test_a_page_is_shown(attempt, site, home):
    """A page ends with 0: its facts, its text, its records; no store is made."""
    site.page("/", ["/a"], title="Home")
    ended = attempt("/", "--extractor", "shop.py")
    assert ended.code == 0
    for line in (f"url          {site.url('/')}", "status       200", "title        Home", "records      1"):
        assert f"{line}\n" in ended.out
    assert "heading 0\n" in ended.out
    assert not list(home.glob("*.db"))


def test_json_tells_the_same(attempt, site):
    """--json is one object with text, links and records."""
    site.page("/", ["/a"], title="Home")
    shown = attempt("/", "--extractor", "shop.py", "--json").json
    assert (shown["status"], shown["title"], shown["links"]) == (200, "Home", [site.url("/a")])
    assert shown["records"][0]["data"]["heading"] == "Home"


def test_without_an_extractor_it_says_how_to_get_records(attempt, site):
    """Without rules the user is told how to make records, on stderr."""
    site.page("/")
    assert attempt("/").err == "no records: --rules FILE or --extractor FILE[:NAME] tell what makes them\n"


RULES = """
[[rule]]
name = "book"
each = "li"
[rule.fields]
title = { select = "b", required = true }
price = { select = "i", type = "number" }
[rule.follow]
select = "a"

[[rule]]
name = "elsewhere"
match = "*/other"
fields.x = "p"
"""


def test_rules_are_explained(attempt, site, home):
    """Each field is shown with its value, its selector, and why it is empty; so is a rule that takes no such page."""
    (home / "shop.toml").write_text(RULES)
    site.page("/", ["/2"], body="<ul><li><b>One</b><i>1.234,50 €</i><li><b>Two</b><i>soon</i><li>Three</ul>")
    ended = attempt("/", "--rules", "shop.toml")
    assert ended.code == 0
    for told in ("rule book: li finds 3", "1234.5", "'soon' is no number", "the required field title is empty"):
        assert told in ended.out
    assert f"follows {site.url('/2')}" in ended.out
    assert "no match takes" in ended.out
    shown = attempt("/", "--rules", "shop.toml", "--json").json
    assert [record["data"] for record in shown["records"]] == [
        {"title": "One", "price": 1234.5},
        {"title": "Two", "price": None},
    ]
    assert shown["rules"][0]["records"][1]["fields"][1]["why"] == "'soon' is no number"


def test_a_mistake_in_rules_is_told_first(attempt, site, home):
    """A mistake ends with 2, before a request is made, and names file, line, rule and field."""
    (home / "shop.toml").write_text(
        '[[rule]]\nname = "book"\n[rule.fields]\nprice = { select = ".p", type = "nmber" }\n'
    )
    refused = attempt("/", "--rules", "shop.toml").refused
    for told in ("shop.toml:4", "book", "price", "number"):
        assert told in refused
    assert not site.requests


def test_a_page_that_is_none_ends_with_1(attempt, site, run):
    """What is no page ends with 1 and its reason: a status, a redirect, another type, robots.txt, a dead host."""
    site.redirect("/old", "/")
    site.page("/image", body=b"GIF89a", headers={"Content-Type": "image/gif"})
    site.fails("/down", times=9)
    told = {
        "/gone": "failed, http-4xx: 404",
        "/old": "failed, protocol: 302",
        "/image": "skipped, content-type: image/gif",
        "/down": "failed, http-5xx: 503",
    }
    for path, outcome in told.items():
        ended = attempt(path)
        assert ended.code == 1
        assert f"outcome      {outcome}" in ended.out
    site.robots("User-agent: *\nDisallow: /")
    assert "outcome      skipped, robots: " in attempt("/").out
    site.audited = False
    assert attempt("/", "--no-robots").code == 1  # there is no such page
    assert run("try", "http://127.0.0.1:1/").code == 1


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.com/"])
def test_what_is_no_url_is_refused(run, url):
    """What is no URL ends with 2."""
    assert url in run("try", url).refused


def test_a_page_cannot_forge_the_output(attempt, site):
    """Escapes, C1 and marks of bidirectional text from a page come raw neither as text nor as JSON."""
    site.page("/", title="a\x1b[31mb\x9b2Jc\u202ed\x7fe", body="<h1>\x1b[2J</h1>", headers={"Content-Language": "\x9b"})
    for options in ((), ("--json",)):
        ended = attempt("/", "--extractor", "shop.py", *options)
        assert ended.code == 0
        assert not any(char in ended.out for char in "\x1b\x9b\u202e\x7f\x07")
