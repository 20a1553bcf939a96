"""What does a host's robots.txt allow us? Rows C10 and C11, goal G11."""

import math
from time import process_time

import pytest
from hypothesis import given, settings
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
        pytest.param(ALL + "Allow:\nDisallow: /", "/", False, id="empty-allow"),
        pytest.param(ALL + "Disallow: # all", "/", True, id="disallow-only-a-comment"),
        pytest.param(ALL + "Disallow: /", "/", False, id="everything"),
        pytest.param(ALL + "Disallow:/", "/", False, id="no-blank-after-the-colon"),
        pytest.param(ALL + "Disallow: /", "/robots.txt", True, id="robots-txt-itself"),
        pytest.param(ALL + "Disallow: /a # not /b", "/a", False, id="comment-after-a-rule"),
        pytest.param(ALL + "Disallow: /foo/quz#qux", "/foo/quz", False, id="comment-without-a-blank"),
        pytest.param(ALL + "# Disallow: /", "/a", True, id="rule-in-a-comment"),
        pytest.param("# hi\n\n" + ALL + "\n\nDisallow: /a", "/a", False, id="comments-and-empty-lines"),
        pytest.param("User-agent: * # all of you\nDisallow: /a", "/a", False, id="comment-after-an-agent"),
        pytest.param(ALL.replace("\n", "\r") + "Disallow: /a\rDisallow: /b\r", "/b", False, id="cr"),
        pytest.param(ALL.replace("\n", "\r\n") + "Disallow: /a\r\n", "/a", False, id="crlf"),
        pytest.param("User-agent: *\n\r\n\rDisallow: /a\r\nAllow: /a/\r", "/a", False, id="mixed-line-ends"),
        pytest.param(ALL + "Disallow: /a\x85b", "/a%C2%85b", False, id="next-line-is-no-line-end"),
        pytest.param(ALL + "Disallow: /a\u2028Allow: /a", "/a", True, id="line-separator-is-no-line-end"),
        pytest.param(ALL + "Disallow: /a\x0b\x0c", "/a", False, id="other-white-space-at-the-end"),
        pytest.param("\ufeff" + ALL + "Disallow: /a", "/a", False, id="byte-order-mark"),
        pytest.param("USER-AGENT : *\n  dIsAlLoW\t:\t/a  ", "/a", False, id="case-and-blanks"),
        pytest.param("User agent *\nDisalow /a", "/a", False, id="misspelled-without-colon"),
        pytest.param("user-agent FooBot\nuser-agent scraper\ndisallow /\n", "/a", False, id="without-colons"),
        pytest.param(ALL + "Disallow /a # why", "/a", False, id="without-colon-before-a-comment"),
        pytest.param(ALL + "Disallow / is what we could have said", "/a", True, id="prose"),
        pytest.param(ALL + "Disallowed: /a\nDisallows: /a\nXDisallow: /a", "/a", True, id="other-names"),
        pytest.param(ALL + "Disallow\n: /a", "/a", True, id="colon-on-the-next-line"),
        pytest.param("Disallow: /", "/a", True, id="rule-without-a-group"),
        pytest.param("Disallow: /\n" + ALL + "Disallow: /b", "/a", True, id="rule-before-any-group"),
        pytest.param(ALL + "Foo: bar\nDisallow: /a", "/a", False, id="unknown-lines-in-a-group"),
        pytest.param(ALL + "Foo\nDisallow: /a\n!?", "/a", False, id="no-lines-in-a-group"),
        pytest.param("<html>\n<p>User-agent: *</p>\n<p>Disallow: /</p>\n</html>", "/", True, id="html"),
        pytest.param("<pre>\n" + ALL + "Disallow: /a\n</pre>", "/a", False, id="rules-within-html"),
        pytest.param(ALL + f"Foo: {'x' * 99_999}\nDisallow: /a", "/a", False, id="very-long-line"),
        pytest.param(ALL + f"Disallow: /{'x' * 20_000}\nDisallow: /a", "/a", False, id="very-long-rule"),
        pytest.param(ALL + f"Disallow: /a #{'x' * 99_999}", "/a", False, id="very-long-comment"),
    ],
)
def test_lines(text, path, allowed):
    """Lines are read as RFC 9309 says, common misspellings as what is meant, and any other line is passed over."""
    assert allows(text, path) is allowed


SIMPLE_EXAMPLE = """
            User-Agent: *
            Disallow: *.gif$
            Disallow: /example/
            Allow: /publications/

            User-Agent: foobot
            Disallow:/
            Allow:/example/page.html
            Allow:/example/allowed.gif

            User-Agent: barbot
            User-Agent: bazbot
            Disallow: /example/page.html

            User-Agent: quxbot

            EOF
"""


@pytest.mark.parametrize(
    ("agent", "allowed"),
    [
        ("anybot", "/ /publications/x /example.html"),
        ("foobot", "/example/page.html /example/page.html?x /example/allowed.gif"),
        ("barbot", "/ /a.gif /example/ /publications/x"),
        ("BazBot", "/ /a.gif /example/ /publications/x"),
        ("quxbot", "/ /a.gif /example/ /example/page.html"),
    ],
)
def test_the_simple_example(agent, allowed):
    """The example of RFC 9309, section 5.1, is read as its text says."""
    paths = ["/", "/a.gif", "/example/", "/example.html", "/example/page.html", "/example/page.html?x"]
    paths += ["/example/allowed.gif", "/publications/x", "/publications/x.gif"]
    free = {path for path in paths if allows(SIMPLE_EXAMPLE, path, agent)}
    assert set(allowed.split()) <= free
    assert ("/example/page.html" in free) is (agent in {"foobot", "quxbot"})
    assert ("/" in free) is (agent != "foobot")
    assert ("/a.gif" in free) is (agent not in {"anybot", "foobot"})


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
        pytest.param("User-agent: *scraper*\nDisallow: /", False, id="stars-around-ignored"),
        pytest.param("User-agent: scraper2\nDisallow: /", False, id="digits-are-no-part-of-a-name"),
        pytest.param("User-agent: scraper bot\nDisallow: /", False, id="name-up-to-a-blank"),
        pytest.param("User-agent: scraper\xe9\nDisallow: /", False, id="name-up-to-what-no-name-has"),
        pytest.param("User-agent: 2scraper\nDisallow: /", True, id="digits-before-our-name"),
        pytest.param("User-agent: my scraper\nDisallow: /", True, id="our-name-as-second-word"),
        pytest.param("User-agent: * everybody\nDisallow: /", False, id="star-and-more"),
        pytest.param("User-agent: */1.0\nDisallow: /", True, id="star-with-a-version"),
        pytest.param("User-agent: scrap\nDisallow: /", True, id="part-of-our-name"),
        pytest.param("User-agent: scraper-image\nDisallow: /", True, id="longer-than-our-name"),
        pytest.param("User-agent:\nDisallow: /", True, id="nobody"),
        pytest.param("User-agent: scraper\nUser-agent:\nDisallow: /", False, id="nobody-in-a-run"),
        pytest.param("User-agent: a\nUser-agent: scraper\nDisallow: /", False, id="several-agents-in-a-run"),
        pytest.param("User-agent: a\nDisallow:\nUser-agent: scraper\nDisallow: /", False, id="own-after-another"),
        pytest.param("User-agent: *\nUser-agent: a\nDisallow: /", False, id="star-in-a-run"),
        pytest.param("User-agent: *\nAllow: /\n\nUser-agent: *\nDisallow: /a", False, id="stars-are-merged"),
        pytest.param("User-agent: scraper\n\n# x\n\nUser-agent: a\nDisallow: /", False, id="empty-lines-in-a-run"),
        pytest.param("User-agent: scraper\nSitemap: /s\nUser-agent: a\nDisallow: /", False, id="sitemap-in-a-run"),
        pytest.param("User-agent: scraper\nFoo: bar\nUser-agent: a\nDisallow: /", False, id="unknown-line-in-a-run"),
        pytest.param("User-agent: scraper\nCrawl-delay: 1\nUser-agent: a\nDisallow: /", False, id="delay-in-a-run"),
        pytest.param("User-agent: scraper\nRequest-rate: 1/9\nUser-agent: a\nDisallow: /", False, id="rate-in-a-run"),
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
        ("My Bot 1.0", "My"),
        ("bookworm2/1.0", "bookworm"),
        ("bookworm (compatible; otherbot/1.0)", "bookworm"),
        ("Mozilla/5.0 (compatible; ExampleBot/0.1; https://www.example.com/bot.html)", "ExampleBot"),
        ("Mozilla/5.0 (compatible;examplebot/2.1;+https://example.com)", "examplebot"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bookworm/1.2; +https://a.example)",
            "bookworm",
        ),
        ("Mozilla/5.0 (X11) Chrome/1.0 Safari/5.0 (compatible; bookworm/2.1; +http://a.example/)", "bookworm"),
        ("Mozilla/5.0 (iPhone) Version/17 Mobile/1 Safari/6 (bookworm/0.1; +http://a.example/bot)", "bookworm"),
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/1.0 bookworm/3", "bookworm"),
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/1.0", "scraper"),
        ("Mozilla/5.0", "scraper"),
        ("2check/1.0 curl/8", "scraper"),
        ("(no name)", "scraper"),
        ("", "scraper"),
    ],
)
def test_product_token(user_agent, token):
    """The product token is the name in a User-Agent, of letters, `_` and `-`; without one it is our own."""
    assert product_token(user_agent) == token


@pytest.mark.parametrize("user_agent", ["bookworm2/1.0", "Mozilla/5.0 (compatible; BookWorm2/1.0)"])
def test_a_file_may_name_us_as_the_user_agent_does(user_agent):
    """Who copies a name with digits and a version into robots.txt, means the bot that sent it."""
    assert not allows("User-agent: bookworm2/1.0\nDisallow: /", "/a", product_token(user_agent))


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
        ("Crawl-delay: 10 s", 10.0),
        ("Crawl-delay: 10 seconds", 10.0),
        ("Crawl-delay: .5", 0.5),
        ("Crawl-delay: 1_0", None),
        ("Crawl-delay: \u0661", None),
        ("Crawl-delay: 2,5", None),
        ("Crawl-delay:", None),
        ("Crawl-delay: " + "9" * 9999, None),
        ("Disallow: /\nUser-agent: other\nCrawl-delay: 7", None),
        ("Request-rate: 1/10", 10.0),
        ("Request-rate: 1/10s", 10.0),
        ("Request-rate: 3/1m", 20.0),
        ("request rate: 1 / 1H", 3600.0),
        ("Request-rate: 1/1d", 86400.0),
        ("Request-rate: 1/2min", 120.0),
        ("Request-rate: 10/1", 0.1),
        ("Request-rate: 1/10 1600-1900", 10.0),
        ("Request-rate: 1/10s 1600 - 1900 # GMT", 10.0),
        ("Request-rate: 0/10", None),
        ("Request-rate: 1/0", None),
        ("Request-rate: 1/10x", None),
        ("Request-rate: 1/10econds", None),
        ("Request-rate: 1.5/10", None),
        ("Request-rate: -1/10", None),
        ("Request-rate: 10", None),
        ("Request-rate: 1/" + "9" * 9999, None),
        ("Crawl-delay: 5\nRequest-rate: 1/8", 8.0),
        ("Request-rate: 1/8\nCrawl-delay: 9\nRequest-rate: 1/2", 9.0),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_crawl_delay(lines, delay):
    """The Crawl-delay and Request-rate of our group are read if they are times; of several, the longest."""
    assert rules(f"{ALL}Disallow: /a\n{lines}").crawl_delay == delay


def test_only_our_own_group_slows_us():
    """A Crawl-delay for all does not hold for who has a group, and that of a run's earlier agent not for a later."""
    assert rules("User-agent: *\nCrawl-delay: 9\nAllow: /\nUser-agent: scraper\nAllow: /").crawl_delay is None
    assert rules("User-agent: *\nRequest-rate: 1/9\nAllow: /\nUser-agent: scraper\nCrawl-delay: 2").crawl_delay == 2.0
    assert rules("User-agent: other\nCrawl-delay: 9\nUser-agent: scraper\nDisallow: /").crawl_delay is None


def sitemaps(text, base=SITE + "/robots.txt"):
    """The sitemaps of a file at a URL."""
    return read_robots("200", text, agent=AGENT, expires_at=0.0, base=base).sitemaps


def test_sitemaps():
    """Sitemaps belong to the whole file, wherever they stand; each counts once, in order, as a canonical URL."""
    text = "Sitemap: HTTPS://x.example:443/1.xml\nUser-agent: other\nsite-map: 2.xml\nSitemap:\nSitemap: /2.xml # again"
    assert sitemaps(text) == ("https://x.example/1.xml", f"{SITE}/2.xml")
    assert sitemaps(text, base="") == ("https://x.example/1.xml",)
    assert sitemaps("Sitemap https://x.example/1.xml\nsitemaps: //y.example/s?a=b") == (
        "https://x.example/1.xml",
        "https://y.example/s?a=b",
    )


@pytest.mark.parametrize(
    "url", ["ftp://x.example/", "file:///etc/passwd", "data:,a", "http://[", "https://x/" + "a" * 9000]
)
def test_a_sitemap_is_on_the_web(url):
    """A sitemap that is no URL, too long or not http(s) is left out."""
    assert sitemaps(f"Sitemap: {url}\nSitemap: /s") == (f"{SITE}/s",)


def test_sitemaps_are_bounded():
    """At most 100 sitemaps are taken, the first ones, and 1,000 looked at."""
    assert sitemaps("".join(f"Sitemap: ftp://{at}/\n" for at in range(1000)) + "Sitemap: /s") == ()
    assert sitemaps("".join(f"Sitemap: /{at}\n" for at in range(200))) == tuple(f"{SITE}/{at}" for at in range(100))


def judged(body, status=200, **more):
    """The robots of an answer."""
    response = Response(f"{SITE}/robots.txt", status, body=body)
    return judge_robots(response, agent=AGENT, now=100.0, expiry=50.0, **more)


@pytest.mark.parametrize("status", [200, 203, 206, 299], ids=str)
def test_a_file_is_judged(status):
    """A 2xx answer is read as UTF-8 without its byte order mark, and holds for the expiry."""
    robots = judged(b"\xef\xbb\xbfUser-agent: *\nDisallow: /a\xc3\xa9\nSitemap: /s", status)
    assert (robots.status, robots.expires_at) == (str(status), 150.0)
    assert robots.text == "User-agent: *\nDisallow: /a\xe9\nSitemap: /s"
    assert robots.allows(SITE + "/a%C3%A9") is not None
    assert robots.sitemaps == (f"{SITE}/s",)
    assert judged(b"Sitemap: /s", base="https://first.example/robots.txt").sitemaps == ("https://first.example/s",)


@pytest.mark.parametrize("status", [200, 204, 205, 206], ids=str)
def test_an_empty_file_allows_all(status):
    """A 2xx answer without a body is a file without rules."""
    assert (judged(b"", status).text, judged(b"", status).allows(SITE + "/a")) == ("", None)


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: *\nDisallow: /a\xe9\0",
        b"User-agent: *\nDisallow: /a%e9%00",
        b"\xef\xbbUser-agent: *\nDisallow: /a%E9%00",
        b"\xefUser-agent: *\nDisallow: /a\xe9\0",
        b"\0\xff\nUser-agent: *\nDisallow: /a\xe9\0",
        "\ufeffUser-agent: *\nDisallow: /a%E9%00".encode("utf-16-le"),
        "\ufeffUser-agent: *\nDisallow: /a%E9%00".encode("utf-16-be"),
    ],
    ids=["latin-1", "encoded", "two-thirds-of-a-mark", "third-of-a-mark", "garbage-first", "utf-16-le", "utf-16-be"],
)
def test_octets_that_are_no_text(body):
    """NUL and octets that are not UTF-8 are percent-encoded in the text; UTF-16 is read if a mark says so."""
    robots = judged(body)
    assert robots.text is not None
    assert "\0" not in robots.text
    robots.text.encode()  # a database takes it
    assert robots.allows(SITE + "/a%E9%00b") is not None
    assert robots.allows(SITE + "/a%E9") is None


def test_a_file_is_cut():
    """500 KiB are read, without the line that they end in; a file as long as that may have been cut as well."""
    start = b"User-agent: *\nDisallow: /b\n"
    body = start + b"#" * (500 * 1024 - len(start) - len(b"\nDisallow: /ab")) + b"\nDisallow: /ab"
    assert len(body) == 500 * 1024
    assert judged(body).allows(SITE + "/ab") is None
    assert judged(body).allows(SITE + "/b") is not None
    assert judged(body[1:]).allows(SITE + "/b") is None
    assert judged(body[:-1] + b"\r").allows(SITE + "/a") is not None
    assert judged(body + b"c\nDisallow: /c\n").allows(SITE + "/c") is None
    assert judged(b"x" * 600_000).text == ""


def test_the_page_of_a_missing_file_is_not_judged():
    """The body of a 404 is not read for rules."""
    response = Response(SITE, 404, body=b"User-agent: *\nDisallow: /\n")
    robots = judge_robots(response, agent=AGENT, now=0.0, expiry=1.0)
    assert (robots.status, robots.text, robots.allows(SITE + "/a")) == ("404", None, None)


def test_what_is_persisted_is_read_the_same():
    """Robots made of persisted status and text equal those made of the response."""
    response = Response(SITE, 200, body=(ALL + "Disallow: /a\nCrawl-delay: 3\nSitemap: /s").encode())
    first = judge_robots(response, agent=AGENT, now=0.0, expiry=9.0)
    again = read_robots(first.status, first.text, agent=AGENT, expires_at=first.expires_at, base=f"{SITE}/robots.txt")
    assert again == first
    assert again.allows(SITE + "/a") == first.allows(SITE + "/a") is not None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ALL + "Disallow: /" + "*a" * 250_000 + "c$", id="one-rule-all-stars"),
        pytest.param(ALL + "".join(f"Disallow: /*a*{i}c\n" for i in range(25_000)), id="25000-wildcards"),
        pytest.param(ALL + "".join(f"Disallow: /{i}\n" for i in range(50_000)), id="50000-rules"),
        pytest.param(ALL + "Allow:" + " " * 500_000, id="blanks"),
        pytest.param(ALL + "Allow " + "a" * 500_000 + " b", id="no-colon"),
        pytest.param(ALL + "\r" * 500_000, id="line-ends"),
        pytest.param("Sitemap: /" + "a" * 500_000, id="long-sitemap"),
        pytest.param("".join(f"Sitemap: ftp://{i}\n" for i in range(25_000)), id="25000-sitemaps"),
        pytest.param(ALL + "Request-rate: " + "1/" * 250_000, id="long-rate"),
        pytest.param(
            "".join(f"User-agent: {i}\n" for i in range(15_000)) + "".join(f"Disallow: /{i}\n" for i in range(15_000)),
            id="agents-times-rules",
        ),
        pytest.param("User-agent: *\n" * 15_000 + "Disallow: /a*\n" * 15_000, id="one-agent-again-and-again"),
    ],
)
def test_hostile_files_are_bounded(text):
    """A file made to be slow is read in a fraction of a second."""
    started = process_time()
    rules(text)
    assert process_time() - started < 1.5  # 0.25 where nothing else runs


@settings(deadline=None)  # a busy machine is no fault
@given(
    body=st.binary(max_size=200)
    | st.text("UuserAagnt:*DdisloAw/$#%:-raw/19 \n\r\t\0\ufeffé", max_size=200).map(str.encode)
)
def test_any_bytes_are_read(body):
    """No bytes make it raise."""
    robots = judge_robots(Response(SITE, 200, body=body), agent=AGENT, now=0.0, expiry=1.0)
    robots.allows(SITE + "/a?b=c")


_lines = st.lists(
    st.sampled_from([
        "User-agent: scraper",
        "User-agent: *",
        "User-agent: a",
        "Disallow: /a",
        "Allow: /ab",
        "Disallow: /",
    ])
    | st.sampled_from(["", "Crawl-delay: 3", "Sitemap: /s", "Disallow:", "nonsense", "Request-rate: 1/9 1200-1300"]),
    max_size=12,
).map("\n".join)
_other = "\nUser-agent: unrelated\nUser-agent: b\nDisallow: /\nCrawl-delay: 99\n"


@settings(deadline=None)
@given(before=_lines, after=_lines)
def test_an_unrelated_group_changes_nothing(before, after):
    """A group for somebody else, between other groups or at the end, changes no answer."""
    before += "\nUser-agent: c\nAllow: /\n"  # ends a run that the other group would join, as does the empty rule below
    after = "User-agent: c\n" + after
    plain = rules(before + after)
    for text in (before + _other + after, before + after + "\nDisallow:" + _other):
        robots = rules(text)
        assert (robots.crawl_delay, robots.sitemaps) == (plain.crawl_delay, plain.sitemaps)
        assert [robots.allows(SITE + path) for path in ("/", "/a", "/abc")] == [
            plain.allows(SITE + path) for path in ("/", "/a", "/abc")
        ]
