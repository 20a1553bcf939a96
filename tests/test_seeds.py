"""Where does a crawl start? Typed URLs and lists, good and bad."""

import io
import os
import tracemalloc

import pytest

from scraper import urls
from scraper.errors import ConfigError, StoppedEarly, UrlError
from scraper.model import Link
from scraper.scope import Scope
from scraper.seeds import SHOWN, Seeds, listed

A, B = "http://a.example/", "http://b.example/"


@pytest.fixture
def path(tmp_path):
    """Where the list lies."""
    return tmp_path / "shops.txt"


@pytest.fixture
def told():
    """What was complained of."""
    return []


async def stored(seeds):
    """All links, as they would be stored."""
    return [link async for batch in seeds.links() for link in batch]


@pytest.mark.parametrize(
    ("content", "good"),
    [
        pytest.param(b"http://a.example/\nhttp://b.example/\n", [A, B], id="plain"),
        pytest.param(b"http://a.example/\nhttp://b.example/", [A, B], id="no-last-line-end"),
        pytest.param(b"http://a.example/\r\nhttp://b.example/\r\n", [A, B], id="crlf"),
        pytest.param(b"http://a.example/\rhttp://b.example/\r", [A, B], id="cr"),
        pytest.param(b"http://a.example/\rhttp://b.example/", [A, B], id="cr-no-last-line-end"),
        pytest.param(b"\xef\xbb\xbf# shops\rhttp://a.example/\n\rhttp://b.example/\r\n", [A, B], id="mixed-line-ends"),
        pytest.param(b"http://a.example/?a#b # c\n", [f"{A}?a"], id="no-comment-behind-a-url"),
        pytest.param(b"http://a.example/%7ea%2fb\n", [f"{A}~a%2Fb"], id="escapes"),
        pytest.param(b"\xef\xbb\xbfhttp://a.example/\nhttp://b.example/\n", [A, B], id="bom"),
        pytest.param(b"\xef\xbb\xbf# shops\r\nhttp://a.example/\r\n", [A], id="bom-before-comment"),
        pytest.param(b"\n  \n# one\nhttp://a.example/\n\t#two\n\n", [A], id="blank-lines-and-comments"),
        pytest.param(b"  http://a.example/ \t\n", [A], id="blanks-around"),
        pytest.param(b"http://a.example/\nhttp://a.example/\n", [A, A], id="twice"),
        pytest.param(b"HTTP://A.example:80/x/..\n", [A], id="made-canonical"),
        pytest.param(b"http://user:secret@a.example/#top\n", [A], id="without-userinfo-and-fragment"),
        pytest.param("http://bücher.example/ü\n".encode(), ["http://xn--bcher-kva.example/%C3%BC"], id="unicode"),
    ],
)
async def test_a_list_is_read_line_by_line(path, told, content, good):
    """A list holds one URL a line; blank lines and comments are skipped; every URL is stored in its canonical form."""
    path.write_bytes(content)
    seeds = Seeds((), path)
    survey = seeds.survey(told.append)
    assert (survey.count, survey.first, survey.bad, told) == (len(good), tuple(good), 0, [])
    assert await stored(seeds) == [Link(url, urls.host(url), urls.key(url)) for url in good]


BAD = [
    (b"example.com", "did you mean https://example.com"),
    (b"ftp://a.example/", "is a ftp: URL, only http and https can be crawled"),
    (b"http://:80/", "its host name or port cannot be"),
    (b"http://xn--a.example/", "invalid Punycode"),
    (b"http://a.example/" + b"a" * urls.LONGEST, "is longer than"),
    (b"\xff\xfe\xfd", "not UTF-8"),
    (b"http://a.example/\xe9", "not UTF-8"),
    (b"http://a.example/\xed\xa0\x80", "not UTF-8"),
    (b"nonsense", "not a URL"),
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
async def test_bad_lines_are_told_and_the_rest_is_kept(path, told, end):
    """Each bad line is told once, with its number and what is wrong with it, and all the others are crawled."""
    lines = [b"# shops", A.encode(), b"", *(line for line, _ in BAD), B.encode(), b"\xc3"]
    path.write_bytes(end.join(lines))
    seeds = Seeds((), path)
    survey = seeds.survey(told.append)
    assert (survey.count, survey.first, survey.bad) == (2, (A, B), len(BAD) + 1)
    numbers = [*range(4, 4 + len(BAD)), len(lines)]
    assert [line.partition(": ")[0] for line in told] == [f"{path}, line {number}" for number in numbers]
    for line, why in zip(told, (*(why for _, why in BAD), "not UTF-8"), strict=True):
        assert why in line
        assert line.endswith("; skipped")
    assert [link.url for link in await stored(seeds)] == [A, B]
    assert len(told) == len(BAD) + 1


def test_a_complaint_holds_no_password(path, told):
    """What is told of a bad line is without user and password."""
    path.write_text("http://user:secret@[bad/\nhttp://a.example/\n")
    Seeds((), path).survey(told.append)
    assert len(told) == 1
    assert "secret" not in told[0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "does not exist: name a file .* or - for standard input", id="missing"),
        pytest.param(b"", "holds no URL: one http:// or https:// URL a line", id="empty"),
        pytest.param(b"# nothing\n\n# yet\n", "holds no URL", id="only-comments"),
        pytest.param(b"\x7fELF\x02\x01\x01\0\0\0", "is not a text file", id="binary"),
        pytest.param("http://a.example/\n".encode("utf-16"), "is UTF-16: save it as UTF-8", id="utf-16"),
        pytest.param(b"\xfe\xff" + "http://a.example/\n".encode("utf-16-be"), "is UTF-16", id="utf-16-be"),
        pytest.param("http://a.example/\n".encode("utf-16-le"), "is not a text file", id="utf-16-without-mark"),
        pytest.param("directory", "is a directory: name a file", id="directory"),
        pytest.param("pipe", "is a pipe, which can be read only once: .* --from -", id="pipe"),
        pytest.param("below-a-file", "cannot be read: Not a directory", id="below-a-file"),
        pytest.param("too-long", "cannot be read: File name too long", id="name-too-long"),
    ],
)
def test_what_is_no_list_is_an_error(path, told, content, why):
    """A list that cannot be read, or holds nothing to crawl, is an error that names it and says what to do."""
    if content == "directory":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    elif content == "below-a-file":
        path.write_bytes(b"")
        path /= "list"
    elif content == "too-long":
        path = path.with_name("x" * 300)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as error:
        Seeds((), path).survey(told.append)
    assert str(path) in str(error.value)
    assert error.value.exit_code == 2


def test_a_list_of_bad_lines_alone_is_an_error(path, told):
    """A list in which no line is good is an error, after each of them was told."""
    path.write_text("one\ntwo\n")
    with pytest.raises(ConfigError, match="holds no URL"):
        Seeds((), path).survey(told.append)
    assert len(told) == 2


def test_nothing_at_all_is_an_error(told):
    """Neither a URL nor a list is an error."""
    with pytest.raises(ConfigError, match="no URL given"):
        Seeds().survey(told.append)


@pytest.mark.parametrize("text", ["", "example.com", "ftp://a.example/", "http://", "mailto:me@a.example"])
def test_a_typed_seed_must_be_good(text):
    """A typed URL that cannot be crawled is an error at once."""
    with pytest.raises(UrlError):
        Seeds([A, text])


async def test_typed_seeds_come_before_the_list(path, told):
    """What was typed comes first, then what the list holds."""
    path.write_text("http://list.example/\n")
    seeds = Seeds(["http://typed.example"], path)
    assert seeds.survey(told.append).first == ("http://typed.example/", "http://list.example/")
    assert [link.url for link in await stored(seeds)] == ["http://typed.example/", "http://list.example/"]


def test_the_digest_stands_for_the_seeds(path, told):
    """The digest is the same for the same URLs in the same order, however they are written, and for no others."""

    def digest(*typed, lines=None):
        if lines is not None:
            path.write_text(lines)
        return Seeds(typed, path if lines is not None else None).survey(told.append).digest

    assert digest(A, B) == digest("HTTP://a.example", "http://b.example/#top") == digest(A, lines=f"# more\n\n{B}\n")
    assert len({digest(A, B), digest(B, A), digest(A), digest(A, B, B)}) == 4
    assert digest(A, lines=f"{B}\nbad\n") == digest(A, B)


async def test_seeds_are_stripped(path, told):
    """Parameters that shall be stripped are in no seed, typed or listed, nor in the digest, and all others are."""

    def survey(*lines, **given):
        path.write_text("\n".join(lines))
        seeds = Seeds([f"{A}?utm_source=x&a=1"], path, **given)
        return seeds, seeds.survey(told.append)

    seeds, found = survey(f"{B}?gclid=x#top", f"{B}?id=1&gclid=y", strip=urls.Stripping(("tracking",)))
    assert seeds.typed == (f"{A}?a=1",)
    assert found.first == (f"{A}?a=1", B, f"{B}?id=1")
    assert [link.url for link in await stored(seeds)] == list(found.first)
    _, same = survey(f"{B}?fbclid=z", f"{B}?id=1", strip=urls.Stripping(("*clid", "utm_*")))
    assert same.digest == found.digest
    _, whole = survey(f"{B}?gclid=x#top")
    assert whole.first == (f"{A}?utm_source=x&a=1", f"{B}?gclid=x")
    assert not told


async def test_a_public_suffix_is_a_seed_of_its_own():
    """A bare public suffix is crawled as one site: with scope `domain` the sites below it are other domains."""
    seeds, scope = Seeds(["https://github.io", "https://co.uk/a"]), Scope("domain")
    async for root in seeds.roots(scope.root_of):
        scope.add(root)
    within = ["https://github.io/x", "http://github.io.:81/", "https://co.uk/"]
    outside = ["https://me.github.io/", "https://shop.co.uk/", "https://uk/"]
    assert [url for url in within + outside if scope.judge(url, urls.host(url)) is None] == within


@pytest.mark.parametrize(
    ("typed", "listed", "name"),
    [
        (["https://shop.example/"], None, "shop.example"),
        (["https://shop.example:8080/p/"], None, "shop.example:8080/p"),
        (["https://shop.example/a?b=c"], None, "shop.example/a?b=c"),
        ([A, B, "http://c.example/x"], None, "a.example+2"),
        (["https://shop.example/deep/page", A], None, "shop.example+1"),
        ([], f"{A}\n{B}\n", "shops"),
        ([A], f"{B}\n", "a.example+1"),
    ],
)
def test_a_crawl_is_named_after_its_seeds(path, told, typed, listed, name):
    """Without a name a crawl is called by its list, its only URL, or its first host and how many more."""
    if listed is not None:
        path.write_text(listed)
    seeds = Seeds(typed, path if listed is not None else None)
    assert seeds.name(seeds.survey(told.append)) == name


def test_a_list_from_standard_input(told):
    """`-` is standard input, kept in a file while it is wanted; it is told of, and named, without that file."""
    with listed("-", io.BytesIO(b"http://a.example/\nbad\nhttp://b.example/\n")) as path:
        seeds = Seeds((), path, source="standard input")
        survey = seeds.survey(told.append)
        assert seeds.survey(told.append) == survey
        assert seeds.name(survey) == "a.example+1"
    assert survey.first == (A, B)
    assert told[0].startswith("standard input, line 2: ")
    assert not path.exists()


def test_an_empty_standard_input_is_an_error(told):
    """An empty standard input is an error that calls it so."""
    with listed("-", io.BytesIO()) as path, pytest.raises(ConfigError, match=r"^standard input holds no URL"):
        Seeds((), path, source="standard input").survey(told.append)


def test_a_named_list_is_taken_as_it_is(path):
    """A file that is named is read where it lies; standard input is left alone."""
    with listed(str(path), io.BytesIO(b"not read")) as found:
        assert found == path


async def test_roots_come_once_in_a_row(told):
    """The scope roots are those of the seeds, repeated ones in a row left out."""
    seeds = Seeds([A, f"{A}x", B, A])
    assert [root async for root in seeds.roots(urls.host)] == [urls.host(A), urls.host(B), urls.host(A)]


@pytest.mark.heavy
async def test_a_long_list_costs_little_memory(path, told):
    """A list of 200,000 URLs is surveyed in less than a megabyte, and read again in batches."""
    with path.open("w") as lines:
        lines.writelines(f"http://host{number % 1000}.example/page/{number}\n" for number in range(200_000))
    seeds = Seeds((), path)
    links = seeds.links()
    urls.canonical(A)
    tracemalloc.start()
    try:
        survey = seeds.survey(told.append)
        _, surveyed = tracemalloc.get_traced_memory()
        first, second = await anext(links), await anext(links)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await links.aclose()
    assert (survey.count, len(survey.first), survey.first[0]) == (200_000, SHOWN, "http://host0.example/page/0")
    assert (len(first), second[-1].url) == (10_000, "http://host999.example/page/19999")
    assert surveyed < 1_000_000
    assert peak < 20_000_000


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
async def test_a_long_list_comes_whole(path, told, end):
    """Read in batches, a list comes to its very end, in its order, whatever ends its lines."""
    path.write_text("".join(f"{A}{number}{end}" for number in range(20_001)), newline="")
    assert [link.url for link in await stored(Seeds((), path))] == [f"{A}{number}" for number in range(20_001)]


async def test_a_list_left_in_the_middle_is_closed(path):
    """Who stops reading the seeds early leaves no file open."""
    path.write_text(f"{A}\n" * 25_000)
    links = Seeds((), path).links()
    assert len(await anext(links)) == 10_000
    await links.aclose()


async def test_a_reading_can_be_given_up(path, told):
    """Told to stop, a reading that runs and every later one ends at its next line, with an error that says so."""
    path.write_text(f"{A}\n" * 25_000)
    seeds = Seeds((), path)
    links = seeds.links()
    await anext(links)
    seeds.stop()
    with pytest.raises(StoppedEarly, match="nothing was stored"):
        await anext(links)
    with pytest.raises(StoppedEarly):
        seeds.survey(told.append)
