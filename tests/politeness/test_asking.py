"""How robots.txt is asked for: what each answer and each chain of redirects means. Row C10 of the threats."""

from itertools import pairwise

import pytest

from scraper.errors import PermanentFetchError, TransientFetchError
from scraper.model import CrawlUrl, Kind, Reason, Response
from scraper.politeness import asking

HOST = "https://example.com"
FILE = b"User-agent: *\nDisallow: /a\nSitemap: /s.xml\n"


class Web:
    """Answers by URL; what is missing is a 404. `log` tells what was waited for and asked, in order."""

    def __init__(self, answers):
        self.answers = answers
        self.log = []

    async def fetch(self, url):
        """Answer one request."""
        self.log.append(("ask", url.url, url.host))
        answer = self.answers.get(url.url, 404)
        if isinstance(answer, Exception):
            raise answer
        status, location, body = answer if isinstance(answer, tuple) else (answer, None, b"")
        return Response(url.url, status, (("location", location),) if location is not None else (), body)

    async def wait(self, url):
        """Note who is waited for."""
        self.log.append(("wait", url.url, url.host))

    @property
    def asked(self):
        """The URLs asked."""
        return [url for what, url, _ in self.log if what == "ask"]

    async def robots(self, host=HOST, **more):
        """The rules of a host."""
        ask = asking(self.fetch, agent="scraper", expiry=60.0, clock=lambda: 40.0, **more)
        return await ask(CrawlUrl(0, f"{host}/robots.txt", host, Kind.ROBOTS, host_id=7))


def chain(length, end, status=302):
    """As many redirects, each to another host, and how it ends."""
    urls = [f"{HOST}/robots.txt", *(f"https://h{at}.example/r" for at in range(1, length + 1))]
    return {url: (status, target, b"") for url, target in pairwise(urls)} | {urls[-1]: end}


def verdict(robots):
    """What is allowed: all, none, or what the rules of FILE leave."""
    free = [robots.allows(HOST + path) is None for path in ("/a", "/b")]
    return {(True, True): "all", (False, False): "none", (False, True): "rules"}[tuple(free)]


FOUND = (200, None, FILE)


@pytest.mark.parametrize("length", range(7))
@pytest.mark.parametrize(
    ("end", "meaning"),
    [
        (FOUND, "rules"),
        ((206, None, FILE), "rules"),
        (200, "all"),
        (204, "all"),
        *((status, "all") for status in (300, 304, 305, 400, 401, 403, 404, 410, 418, 451, 499)),
        (302, "all"),
    ],
    ids=str,
)
async def test_every_answer_after_every_chain(length, end, meaning):
    """Five redirects are followed, then the answer counts; a sixth redirect allows all."""
    web = Web(chain(length, end))
    robots = await web.robots()
    assert verdict(robots) == (meaning if length <= 5 else "all")
    assert len(web.asked) == min(length, 5) + 1
    assert robots.expires_at == 100.0
    assert robots.status == (str(end[0] if isinstance(end, tuple) else end) if length <= 5 else "302")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_kind_of_redirect(status):
    """All redirects of HTTP are followed, permanent or not."""
    assert verdict(await Web(chain(2, FOUND, status)).robots()) == "rules"


@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
async def test_what_is_no_redirect(status):
    """Another 3xx is not followed, wherever it points, and allows all."""
    web = Web(chain(1, FOUND, status))
    assert verdict(await web.robots()) == "all"
    assert len(web.asked) == 1


@pytest.mark.parametrize("length", [0, 1, 5])
@pytest.mark.parametrize(
    "error",
    [
        TransientFetchError(HOST, Reason.HTTP_4XX, "429 Too Many Requests", 9.0),
        TransientFetchError(HOST, Reason.HTTP_5XX, "503 Service Unavailable"),
        TransientFetchError(HOST, Reason.TRUNCATED, "the body ends before its gzip coding does"),
        TransientFetchError(HOST, Reason.DNS, "no such host"),
        PermanentFetchError(HOST, Reason.BAD_ENCODING, "unknown content coding 'x'"),
        PermanentFetchError(HOST, Reason.PRIVATE_ADDRESS, "10.0.0.1"),
    ],
    ids=lambda error: str(error.reason),
)
async def test_what_is_no_answer_is_raised(length, error):
    """An error of the fetch, at any hop, is the caller's: the file is unreachable, not absent."""
    with pytest.raises(type(error)) as caught:
        await Web(chain(length, error)).robots()
    assert caught.value is error


@pytest.mark.parametrize(
    "location",
    [
        None,
        "ftp://example.com/r",
        "file:///etc/passwd",
        "data:text/plain,Disallow",
        "javascript:1",
        "http://[",
    ],
)
async def test_a_redirect_to_nowhere(location):
    """A redirect without a target, or to what is not http(s), allows all, as an absent file does."""
    web = Web({f"{HOST}/robots.txt": (301, location, FILE)})
    assert verdict(await web.robots()) == "all"
    assert len(web.asked) == 1


async def test_a_circle_of_redirects():
    """A circle of redirects is followed five hops far, and then allows all."""
    web = Web({f"{HOST}/robots.txt": (302, "/b", b""), f"{HOST}/b": (302, "/robots.txt", b"")})
    assert verdict(await web.robots()) == "all"
    assert web.asked == [f"{HOST}/robots.txt", f"{HOST}/b"] * 3


async def test_a_file_behind_its_own_redirect():
    """A URL that redirects to itself at first, and then answers, is reached."""
    web = Web({f"{HOST}/robots.txt": (302, "#again", b"")})

    async def relent(_):
        if len(web.asked) == 5:
            web.answers[f"{HOST}/robots.txt"] = FOUND

    assert verdict(await web.robots(wait=relent)) == "rules"


async def test_each_hop_keeps_its_hosts_distance():
    """Before each hop but the first its own host is waited for; the fetch is told whose rules are asked for."""
    web = Web({
        f"{HOST}/robots.txt": (301, "http://www.example.com:80/robots.txt#x", b""),
        "http://www.example.com/robots.txt": (308, "r", b""),
        "http://www.example.com/r": FOUND,
    })
    await web.robots(wait=web.wait)
    assert web.log == [
        ("ask", f"{HOST}/robots.txt", HOST),
        ("wait", "http://www.example.com/robots.txt", "http://www.example.com"),
        ("ask", "http://www.example.com/robots.txt", HOST),
        ("wait", "http://www.example.com/r", "http://www.example.com"),
        ("ask", "http://www.example.com/r", HOST),
    ]


async def test_a_wait_that_fails_is_raised():
    """Who cannot wait for a host raises, and nothing is asked of it."""

    async def refuse(url):
        raise TransientFetchError(url.url, Reason.TIMEOUT, "too long to wait for")

    web = Web(chain(1, FOUND))
    with pytest.raises(TransientFetchError):
        await web.robots(wait=refuse)
    assert web.asked == [f"{HOST}/robots.txt"]


async def test_the_rules_are_the_first_hosts():
    """Wherever redirects lead, the rules hold for the host that was asked, and sitemaps are relative to its file."""
    robots = await Web(chain(3, FOUND)).robots()
    assert robots.sitemaps == (f"{HOST}/s.xml",)
    assert verdict(robots) == "rules"


async def test_a_page_in_place_of_the_file():
    """A page, as a site that answers anything with its front page sends, holds no rules and allows all."""
    page = b"<!doctype html>\n<title>Disallow: /</title>\n<p>User-agent: *\n<p>Disallow: /\n"
    assert verdict(await Web({f"{HOST}/robots.txt": (200, None, page)}).robots()) == "all"


@pytest.mark.parametrize("size", [100, 9_000, 600_000])
async def test_files_of_any_size(size):
    """A long file is read in a thread, with the same result; what is beyond 500 KiB is not read."""
    body = FILE + b"#" * size + b"\nDisallow: /b\n"
    robots = await Web({f"{HOST}/robots.txt": (200, None, body)}).robots()
    assert verdict(robots) == ("none" if size < 500 * 1024 else "rules")
