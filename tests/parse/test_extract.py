import asyncio
import subprocess
import sys
import textwrap

import pytest

from scraper.errors import ConfigError, ParseError
from scraper.parse import Page, extractor
from scraper.parse.extract import load, load_all, run, spec_of

PAGE = Page("http://a.test/p/1", "<title>t</title><p>x")


@extractor("http://a.test/p/*")
def product(page):
    """Make two records of a page."""
    yield {"title": page.soup.title.string}
    yield {"title": "two"}


@pytest.mark.parametrize(
    ("match", "takes"),
    [
        (None, True),
        ("*", True),
        ("http://a.test/p/*", True),
        ("http://a.test/p/", False),
        ("*/p/?", False),
        ("re:/p/[0-9]$", True),
        ("re:^/p", False),
    ],
)
def test_match(match, takes):
    """A glob matches the whole URL, `re:` is searched for, and no match means every page."""
    made = extractor(match)(lambda page: {"a": 1})
    assert made.takes(PAGE.url) is takes
    assert len(run([made], PAGE)) == takes


def test_records():
    """What extractors yield are records, numbered within their rule, in order."""
    other = extractor(name="other")(lambda page: {"url": page.url})
    assert [(record.rule, record.position, record.data) for record in run([product, other], PAGE)] == [
        ("product", 0, {"title": "t"}),
        ("product", 1, {"title": "two"}),
        ("other", 0, {"url": PAGE.url}),
    ]


def test_callable():
    """A marked function can still be called, and knows its own name."""
    assert next(iter(product(PAGE))) == {"title": "t"}
    assert product.__name__ == "product"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(lambda page: 1 / 0, "extractor bad: ZeroDivisionError: division by zero\n", id="raises"),
        pytest.param(lambda page: ["x"], "extractor bad: TypeError: str is no record; yield a dict", id="no-record"),
        pytest.param(lambda page: 5, "extractor bad: TypeError: int is no record", id="number"),
        pytest.param(lambda page: {"a": object()}, "extractor bad: TypeError: object is no JSON value", id="no-json"),
        pytest.param(lambda page: sys.exit(3), "extractor bad: SystemExit: 3", id="exits"),
    ],
)
def test_failure(made, message):
    """Whatever goes wrong in an extractor is a ParseError that names it and ends with the traceback."""
    with pytest.raises(ParseError) as caught:
        run([extractor(name="bad")(made)], PAGE)
    assert caught.value.url == PAGE.url
    assert caught.value.detail.startswith(message)
    assert "Traceback" in caught.value.detail


async def _waits(page):
    await asyncio.sleep(0)
    return {"n": 1}


async def _yields(page):
    for number in range(2):
        await asyncio.sleep(0)
        yield {"n": number}


async def _nothing(page):
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("function", "records"), [(_waits, [{"n": 1}]), (_yields, [{"n": 0}, {"n": 1}]), (_nothing, [])]
)
def test_async(function, records):
    """An async extractor may await; what it returns, or all that it yields, are its records."""
    assert [record.data for record in run([extractor()(function)], PAGE)] == records


def test_async_failure():
    """What goes wrong in an async extractor is told as in any other."""

    async def bad(page):
        yield {}
        raise KeyError("x")

    with pytest.raises(ParseError, match="extractor bad: KeyError: 'x'"):
        run([extractor()(bad)], PAGE)


def test_failure_is_bounded():
    """An extractor that fails with a huge message leaves a short one."""

    def huge(page):
        raise ValueError("x" * 1_000_000)

    with pytest.raises(ParseError) as caught:
        run([extractor()(huge)], PAGE)
    assert len(caught.value.detail) < 5_000


@pytest.fixture
def module(tmp_path):
    """A file with two extractors and other things."""
    path = tmp_path / "shop.py"
    path.write_text(
        textwrap.dedent("""
            from scraper.parse import extractor
            @extractor("*")
            def one(page): yield {}
            @extractor("*", name="second")
            def two(page): yield {}
            async def later(page): pass
            number = 5
        """)
    )
    return path


@pytest.mark.parametrize(("end", "names"), [("", ["one", "second"]), (":two", ["second"]), (":later", ["later"])])
def test_load(module, end, names):
    """A file's extractors are found by name, or all that are marked."""
    assert [one.name for one in load(f"{module}{end}")] == names


def test_load_module(module, monkeypatch):
    """A module on the path is loaded by its name."""
    monkeypatch.syspath_prepend(module.parent)
    (found,) = load("shop:one")
    assert found.name == "one"
    monkeypatch.delitem(sys.modules, "shop")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere.py", "extractor nowhere.py: there is no file nowhere.py"),
        ("nowhere_at_all:x", "extractor nowhere_at_all:x: cannot import nowhere_at_all: ModuleNotFoundError"),
        ("{}:three", "shop.py has no three"),
        ("{}:number", "int is no extractor"),
        ("json", "extractor json: nothing in json is marked"),
        ("", "cannot import"),
        ("{broken}", "cannot import .*SyntaxError"),
    ],
)
def test_load_mistakes(module, spec, message):
    """A spec that leads to no extractor is a ConfigError that says why."""
    broken = module.parent / "broken.py"
    broken.write_text("def (")
    with pytest.raises(ConfigError, match=message):
        load(spec.format(module, broken=broken))


def test_names_twice(module):
    """Two extractors of one name are a ConfigError: their records could not be told apart."""
    with pytest.raises(ConfigError, match="two extractors are named 'one'"):
        load_all([str(module), f"{module}:one"])


def test_mark_mistakes():
    """A bad expression, or forgotten brackets, are said where they stand."""
    with pytest.raises(ConfigError, match="extractor match 're:\\('"):
        extractor("re:(")(lambda page: None)
    with pytest.raises(ConfigError, match="brackets"):
        extractor(lambda page: None)


def test_spec_of(module, monkeypatch):
    """Only what another process can import has a spec: not a lambda, nor what was loaded from a file."""
    assert spec_of(textwrap.dedent) == "textwrap:dedent"
    assert spec_of(lambda page: None) is None
    assert spec_of(load(f"{module}:one")[0]) is None
    monkeypatch.syspath_prepend(module.parent)
    (found,) = load("shop:one")
    assert spec_of(found) == "shop:one"
    monkeypatch.delitem(sys.modules, "shop")


def test_spec_of_main(tmp_path):
    """A function of the main script has no spec."""
    script = tmp_path / "main.py"
    script.write_text("from scraper.parse.extract import spec_of\ndef f(page): ...\nprint(spec_of(f))")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout == "None\n"
