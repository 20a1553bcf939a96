"""What does a host's robots.txt allow us?"""

import math
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import Reason, Response, Verdict
from scraper.politeness import AGENT, judge_robots, product_token, read_robots, unrestricted

SITE = "https://example.com"


def rules(text, agent=AGENT):
    """The robots of a file."""
    return read_robots("200", text, agent=agent, expires_at=0.0)


def allows(text, path, agent=AGENT):
    """Whether a file allows a path."""
    return rules(text, agent).allows(SITE + path) is None


ALL = "User-agent: *\n"


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        pytest.param("", "/", True, id="empty-file"),
        pytest.param(ALL + "Disallow:", "/", True, id="empty-disallow"),
        pytest.param(ALL + "Disallow: /", "/", False, id="everything"),
        pytest.param(ALL + "Disallow: /", "/robots.txt", True, id="robots-txt-itself"),
        pytest.param(ALL + "Disallow: /fish", "/fishheads/a.html", False, id="prefix"),
        pytest.param(ALL + "Disallow: /fish", "/Fish", True, id="paths-have-a-case"),
        pytest.param(ALL + "Disallow: /fish/", "/fish", True, id="slash-at-the-end"),
        pytest.param(ALL + "Disallow: /*.gif$", "/a/b.gif", False, id="star-and-end"),
        pytest.param(ALL + "Disallow: /*.gif$", "/a/b.gif?x=1", True, id="end-means-end"),
        pytest.param(ALL + "Disallow: /a*z", "/abcz/more", False, id="star-in-between"),
        pytest.param(ALL + "Disallow: *.php", "/a.php", False, id="star-in-front"),
        pytest.param(ALL + "Disallow: /*?", "/a?b=1", False, id="any-query"),
        pytest.param(ALL + "Disallow: /*?", "/a", True, id="no-query"),
        pytest.param(ALL + "Disallow: /a?x=1", "/a?x=12", False, id="query-prefix"),
        pytest.param(ALL + "Allow: /p\nDisallow: /", "/page", True, id="longest-wins"),
        pytest.param(ALL + "Disallow: /\nAllow: /p", "/page", True, id="order-does-not-matter"),
        pytest.param(ALL + "Allow: /p\nDisallow: /page", "/page", False, id="longest-wins-for-disallow"),
        pytest.param(ALL + "Disallow: /a\nAllow: /a", "/a", True, id="allow-wins-a-tie"),
        pytest.param(ALL + "Allow: /a/b\nDisallow: /*", "/a/c", False, id="wildcard-shorter-than-path"),
        pytest.param(ALL + "Disallow: /a%3cd.html", "/a%3Cd.html", False, id="escape-case"),
        pytest.param(ALL + "Disallow: /ä", "/%C3%A4/b", False, id="non-ascii-rule"),
        pytest.param(ALL + "Disallow: /~joe/", "/%7Ejoe/x", False, id="unreserved-escaped"),
        pytest.param(ALL + "Disallow: /a/b", "/a%2Fb", True, id="escaped-slash-is-another"),
        pytest.param(ALL + "Disallow: /a # not /b", "/a", False, id="comment-after-a-rule"),
        pytest.param("# hi\n\n" + ALL + "\n\nDisallow: /a", "/a", False, id="comments-and-empty-lines"),
        pytest.param(ALL.replace("\n", "\r") + "Disallow: /a\rDisallow: /b\r", "/b", False, id="cr"),
        pytest.param(ALL.replace("\n", "\r\n") + "Disallow: /a\r\n", "/a", False, id="crlf"),
        pytest.param("\ufeff" + ALL + "Disallow: /a", "/a", False, id="byte-order-mark"),
        pytest.param("USER-AGENT : *\n  dIsAlLoW\t:\t/a  ", "/a", False, id="case-and-blanks"),
        pytest.param("User agent *\nDisalow /a", "/a", False, id="misspelled-without-colon"),
        pytest.param("Disallow: /", "/a", True, id="rule-without-a-group"),
        pytest.param(ALL + "Foo: bar\nDisallow: /a", "/a", False, id="unknown-lines-in-a-group"),
        pytest.param("<html>\n<p>User-agent: *</p>\n<p>Disallow: /</p>\n</html>", "/", True, id="html"),
        pytest.param(ALL + "Disallow: /a$b", "/a$b", False, id="dollar-within"),
        pytest.param(ALL + "Disallow: /**a", "/xa", False, id="two-stars"),
    ],
)
def test_rules(text, path, allowed):
    """A URL is judged by the longest rule that matches it, as RFC 9309 says."""
    assert allows(text, path) is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        pytest.param("User-agent: scraper\nDisallow: /\n\nUser-agent: *\nDisallow:", False, id="own"),
        pytest.param("User-agent: scraper\nDisallow:\n\nUser-agent: *\nDisallow: /", True, id="own-not-star"),
        pytest.param("User-agent: *\nDisallow: /\n\nUser-agent: scraper\nAllow: /", True, id="own-after-star"),
        pytest.param("User-agent: *\nDisallow: /\n\nUser-agent: scraper", True, id="own-without-rules"),
        pytest.param("User-agent: other\nDisallow: /\n", True, id="somebody-else"),
        pytest.param("User-agent: other\nDisallow: /b\n\nUser-agent: *\nDisallow: /", False, id="falls-back-to-star"),
        pytest.param("User-agent: ScRaPeR\nDisallow: /", False, id="any-case"),
        pytest.param("User-agent: scraper/2.0 beta\nDisallow: /", False, id="version-ignored"),
        pytest.param("User-agent: scraper*\nDisallow: /", False, id="star-at-the-end-ignored"),
        pytest.param("User-agent: scrap\nDisallow: /", True, id="part-of-our-name"),
        pytest.param("User-agent: scraper-image\nDisallow: /", True, id="longer-than-our-name"),
        pytest.param("User-agent:\nDisallow: /", True, id="nobody"),
        pytest.param("User-agent: a\nUser-agent: scraper\nDisallow: /", False, id="several-agents-in-a-run"),
        pytest.param("User-agent: scraper\n\n# x\n\nUser-agent: a\nDisallow: /", False, id="empty-lines-in-a-run"),
        pytest.param("User-agent: scraper\nSitemap: /s\nUser-agent: a\nDisallow: /", False, id="sitemap-in-a-run"),
        pytest.param("User-agent: scraper\nFoo: bar\nUser-agent: a\nDisallow: /", False, id="unknown-line-in-a-run"),
        pytest.param("User-agent: *\nCrawl-delay: 1\nUser-agent: a\nDisallow: /", True, id="crawl-delay-ends-a-run"),
        pytest.param("User-agent: *\nDisallow:\nUser-agent: a\nDisallow: /", True, id="empty-disallow-ends-a-run"),
        pytest.param(
            "User-agent: scraper\nAllow: /x\n\nUser-agent: a\nAllow: /\n\nUser-agent: scraper\nDisallow: /",
            False,
            id="groups-are-merged",
        ),
    ],
)
def test_groups(text, allowed):
    """The rules are those of the groups that name us, else of the groups for `*`, else there are none."""
    assert allows(text, "/a") is allowed


def test_a_custom_agent_has_its_own_group():
    """With another product token, the group of that name holds."""
    text = "User-agent: bookworm\nDisallow: /a\n\nUser-agent: scraper\nDisallow: /b"
    assert (allows(text, "/a", "BookWorm"), allows(text, "/b", "BookWorm")) == (False, True)


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        ("bookworm/1.0 (+https://example.com/bot)", "bookworm"),
        ("bookworm", "bookworm"),
        ("  bookworm 2", "bookworm"),
        ("book-worm_x/1", "book-worm_x"),
        ("", "scraper"),
    ],
    ids=["version", "bare", "blank", "dashes", "default"],
)
def test_product_token(user_agent, token):
    """The product token is what stands before the first slash or blank; with no User-Agent it is our own."""
    assert product_token(user_agent) == token


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("Disallow: /a/", "/a/b"),
        ("Disallow: /*.php$", "/x.php"),
        ("Disallow: *?session=", "/x?session=1"),
        ("Disallow: /%7Ejoe", "/~joe/"),
    ],
    ids=["prefix", "star", "star-in-front", "escape"],
)
def test_a_verdict_names_the_rule(rule, path):
    """A refusal carries the rule that forbade the URL as the file has it, not one that is shorter or allows."""
    text = f"{ALL}Allow: /zzz\nDisallow: /a\nDisallow: /b\n{rule}\nDisallow: /*q\n"
    verdict = rules(text).allows(SITE + path)
    assert verdict == Verdict(Reason.ROBOTS, rule)
    assert rules(text).allows(SITE + path) == verdict


def test_a_verdict_without_a_name():
    """If too many rules come into question, a refusal only says that robots.txt was it."""
    text = ALL + "".join(f"Disallow: /*{i:04}\n" for i in range(100)) + "Disallow: /a"
    assert rules(text).allows(SITE + "/a") == Verdict(Reason.ROBOTS, "disallowed by robots.txt")


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ("404", None),
        ("403", None),
        ("301", None),
        ("off", None),
        ("429", "robots.txt: 429"),
        ("503", "robots.txt: 503"),
        ("timeout", "robots.txt: timeout"),
        ("", "robots.txt: "),
    ],
)
def test_a_status_without_a_text(status, detail):
    """No file allows all; a file that could not be had forbids all and says why."""
    robots = read_robots(status, None, agent=AGENT, expires_at=5.0)
    verdict = robots.allows(SITE + "/a")
    assert (verdict.detail if verdict else None) == detail
    assert (robots.status, robots.text, robots.crawl_delay, robots.sitemaps) == (status, None, None, ())


def test_unrestricted():
    """Without robots everything is allowed, and that never expires."""
    assert unrestricted().allows(SITE + "/a") is None
    assert (unrestricted().status, unrestricted().expires_at) == ("off", math.inf)


@pytest.mark.parametrize(
    ("lines", "delay"),
    [
        ("", None),
        ("Crawl-delay: 2.5", 2.5),
        ("crawl delay 3 # please", 3.0),
        ("Crawl-delay: 0", 0.0),
        ("Crawl-delay: 1\nCrawl-delay: 9\nCrawl-delay: 4", 9.0),
        ("Crawl-delay: -1", None),
        ("Crawl-delay: soon", None),
        ("Crawl-delay: nan", None),
        ("Crawl-delay: 1e999", None),
        ("User-agent: other\nCrawl-delay: 7", None),
    ],
    ids=["none", "fraction", "loose", "zero", "several", "negative", "word", "nan", "infinite", "somebody-else"],
)
def test_crawl_delay(lines, delay):
    """The Crawl-delay of our group is read if it is a time; of several, the longest."""
    assert rules(f"{ALL}Disallow: /a\n{lines}").crawl_delay == delay


def test_sitemaps():
    """Sitemaps belong to the whole file, wherever they stand; each counts once, in order."""
    text = "Sitemap: https://x.example/1.xml\nUser-agent: other\nsite-map: /2.xml\nSitemap:\nSitemap: /2.xml # again"
    assert rules(text).sitemaps == ("https://x.example/1.xml", "/2.xml")


@pytest.mark.parametrize("status", [200, 204, 299], ids=str)
def test_a_file_is_judged(status):
    """A 2xx answer is read as UTF-8 without its byte order mark, and holds for the expiry."""
    body = b"\xef\xbb\xbfUser-agent: *\nDisallow: /a\xff\0\n"
    robots = judge_robots(Response(SITE, status, body=body), agent=AGENT, now=100.0, expiry=50.0)
    assert (robots.status, robots.expires_at) == (str(status), 150.0)
    assert robots.text == "User-agent: *\nDisallow: /a\ufffd\ufffd\n"
    assert robots.allows(SITE + "/a%EF%BF%BD%EF%BF%BD") is not None


def test_the_page_of_a_missing_file_is_not_judged():
    """The body of a 404 is not read for rules."""
    response = Response(SITE, 404, body=b"User-agent: *\nDisallow: /\n")
    robots = judge_robots(response, agent=AGENT, now=0.0, expiry=1.0)
    assert (robots.status, robots.text, robots.allows(SITE + "/a")) == ("404", None, None)


def test_what_is_persisted_is_read_the_same():
    """Robots made of persisted status and text equal those made of the response."""
    response = Response(SITE, 200, body=(ALL + "Disallow: /a\nCrawl-delay: 3\nSitemap: /s").encode())
    first = judge_robots(response, agent=AGENT, now=0.0, expiry=9.0)
    again = read_robots(first.status, first.text, agent=AGENT, expires_at=first.expires_at)
    assert again == first
    assert again.allows(SITE + "/a") == first.allows(SITE + "/a") is not None


def test_rules_beyond_the_bound_err_on_the_sites_side():
    """Past 12,000 characters of wildcard rules a Disallow ends at its wildcard, and an Allow is dropped."""
    text = (
        ALL + "Disallow: /x*aaa\n" * 2000 + "Disallow: /private*/a\nAllow: /private*\nDisallow: /plain\nAllow: /plain/a"
    )
    assert not allows(text, "/private/b")
    assert not allows(text, "/plain/b")
    assert allows(text, "/plain/a")
    assert allows(text, "/other")


LONG = "/" + "a" * 8000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ALL + "Disallow: /" + "*a" * 200_000 + "c$", id="one-rule-all-stars"),
        pytest.param(ALL + "".join(f"Disallow: /*a*{i}c\n" for i in range(25_000)), id="25000-wildcards"),
        pytest.param(ALL + f"Disallow: /*{'a' * 45}b{'a' * 45}\n" * 4_000, id="slow-needles"),
        pytest.param(ALL + "".join(f"Disallow: /{i}\n" for i in range(50_000)), id="50000-rules"),
        pytest.param(
            "".join(f"User-agent: {i}\n" for i in range(15_000)) + "".join(f"Disallow: /{i}\n" for i in range(15_000)),
            id="agents-times-rules",
        ),
    ],
)
def test_hostile_files_are_bounded(text):
    """A file made to be slow is read in seconds at the very most, and each URL judged in a fraction of one."""
    started = process_time()
    robots = rules(text)
    read = process_time()
    for _ in range(3):
        robots.allows(SITE + LONG)
    assert read - started < 3.0
    assert process_time() - read < 0.75


@given(body=st.binary(max_size=200) | st.text("UuserAagnt:*DdisloAw/$#% \n\r\t\0\ufeffé", max_size=200).map(str.encode))
def test_any_bytes_are_read(body):
    """No bytes make it raise."""
    robots = judge_robots(Response(SITE, 200, body=body), agent=AGENT, now=0.0, expiry=1.0)
    robots.allows(SITE + "/a?b=c")


@given(paths=st.lists(st.text("ab/", max_size=4).map("/".__add__), max_size=6), path=st.text("ab/", max_size=6))
def test_prefix_rules_follow_the_longest_match(paths, path):
    """For rules without wildcards the longest prefix decides, Allow before Disallow."""
    lines = [("Allow", p) if i % 2 else ("Disallow", p) for i, p in enumerate(paths)]
    text = ALL + "".join(f"{name}: {p}\n" for name, p in lines)
    best = max(((len(p), name == "Allow") for name, p in lines if f"/x/{path}".startswith(p)), default=(0, True))
    assert allows(text, f"/x/{path}") is best[1]
