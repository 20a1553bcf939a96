import asyncio
import importlib
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from scraper.config import ParseConfig
from scraper.errors import ConfigError, ParseError, ParseInterrupted, ScraperError
from scraper.model import Response
from scraper.parse import Workers, extractor, process
from scraper.scope import Patterns

HEADERS = (("content-type", "text/html"),)
EXTRACTORS = """
    import os, re, signal
    from scraper.parse import extractor

    @extractor("*/pid")
    def pid(page):
        yield {"pid": os.getpid()}

    @extractor("*/hang")
    def hang(page):
        open(page.title, "w").write(str(os.getpid()))
        re.match("(a+)+$", "a" * 64 + "b")  # holds the interpreter: no Python code runs beside it

    @extractor("*/exit")
    def leave(page):
        os._exit(7)

    @extractor("*/eat")
    def eat(page):
        yield {"size": len(bytearray(1 << 34))}

    @extractor("*/killed")
    def killed(page):
        os.kill(os.getpid(), signal.SIGKILL)

    @extractor("*/killed-once")
    def killed_once(page):
        try:
            os.mkdir(page.title)
        except FileExistsError:
            yield {"pid": os.getpid()}
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    @extractor("*/raise")
    def fail(page):
        class Unpicklable(Exception):
            def __init__(self, one, two):
                super().__init__(one)
        raise Unpicklable("no", "way")
"""


@pytest.fixture
def spec(tmp_path):
    """A file of extractors that do what they should not."""
    path = tmp_path / "bad.py"
    path.write_text(textwrap.dedent(EXTRACTORS))
    return str(path)


def response(name, title="t"):
    """A small page that the extractor of this name takes."""
    return Response(f"http://a.test/{name}", 200, HEADERS, f"<title>{title}</title><p>x".encode())


async def failure(workers, name, title="t"):
    """What the parse of a page failed with."""
    with pytest.raises(ParseError) as caught:
        await workers.parse(response(name, title))
    return caught.value.detail


async def pid(workers):
    """The process that parses, which shows that one does."""
    page = await workers.parse(response("pid"))
    return page.records[0].data["pid"]


def is_running(pid):
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition, seconds=5.0):
    """Wait until something holds, at most so long."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (it is another process that makes it hold)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("count", [0, 1], ids=["here", "worker"])
async def test_agent(count):
    """Workers read what a page asks of the name they are given, and of no other."""
    body = (
        b"<meta name=bookworm content='unavailable_after: 25 Jun 2010'><meta name=scraper content=nofollow><a href=b>"
    )
    async with Workers(ParseConfig(workers=count), Patterns(), agent="BookWorm") as workers:
        page = await workers.parse(Response("http://a.test/", 200, (("content-type", "text/html"),), body))
    assert page.noindex
    assert page.links[0].verdict is None


async def test_pages_fail_alone(spec, tmp_path):
    """A page that hangs, crashes, eats memory or raises fails with what it did; the pages beside it are parsed."""
    config = ParseConfig(workers=2, timeout=0.5, memory=1 << 28)
    async with Workers(config, Patterns(), extractors=(spec,)) as workers:
        names = ["hang", "exit", "eat", "killed"]
        *failures, first, last = await asyncio.gather(
            *(failure(workers, name, tmp_path / "started") for name in names), pid(workers), pid(workers)
        )
        assert failures == [
            "timeout: over 0.5 s",
            "crash: worker died (exit code 7)",
            "memory: the page takes more than a worker may have",
            "crash: worker died (exit code -9)",
        ]
        page = await workers.parse(response("raise"))
        assert page.failure.startswith("extractor fail: ")
        assert os.getpid() not in {first, last}
        page = await workers.parse(response("killed-once", tmp_path / "once"))
        assert len(page.records) == 1  # the kernel may have killed it for another's memory: one more try is free


@pytest.mark.parametrize("workers", [0, 1], ids=["thread", "process"])
async def test_feeds_and_strip(workers, tmp_path, monkeypatch):
    """Feeds are links if they are wanted, and URLs are stripped, in a worker as in this process."""
    (tmp_path / "stripping.py").write_text("def short(url):\n    return url.partition('?')[0]\n")
    monkeypatch.syspath_prepend(tmp_path)
    body = b"<link rel=alternate type=application/rss+xml href='/f?x'><a href='/a?x'>"
    async with Workers(
        ParseConfig(workers=workers), Patterns(), feeds=True, strip=importlib.import_module("stripping").short
    ) as parsers:
        page = await parsers.parse(Response("http://a.test/", 200, HEADERS, body))
    assert [(link.url, link.kind) for link in page.links] == [("http://a.test/f", "feed"), ("http://a.test/a", "page")]


async def test_pages_that_go_together_fail_alone(spec, tmp_path):
    """Of pages that went to a worker in one message, one that fails costs the others nothing, and each its own page."""
    names = ["pid", "exit", "pid", "pid", "raise", "pid", "hang", "pid", "eat", "pid", "pid", "killed", "pid"]
    config = ParseConfig(workers=1, timeout=0.5, memory=1 << 28)
    async with Workers(config, Patterns(), extractors=(spec,)) as workers:
        asked = [workers.parse(response(name, tmp_path / "started")) for name in names]
        pages = await asyncio.gather(*asked, return_exceptions=True)
    told = [page.detail if isinstance(page, ParseError) else page.failure for page in pages]
    assert [why and why.split(":")[0] for why in told] == [
        *(None, "crash", None, None, "extractor fail", None, "timeout", None, "memory", None, None, "crash", None)
    ]


GREEDY = """
from scraper.parse import extractor

@extractor()
def keep(page):
    yield {"size": len(bytearray(1 << 27)), "text": "x" * (1 << 25)}
"""


async def test_memory_is_each_page_s_own(tmp_path):
    """Pages that go to a worker together do not share its memory: what one takes alone, each of them may take."""
    (tmp_path / "greedy.py").write_text(GREEDY)
    config = ParseConfig(workers=1, memory=(1 << 28))
    async with Workers(config, Patterns(), extractors=(str(tmp_path / "greedy.py"),)) as workers:
        pages = await asyncio.gather(*(workers.parse(response(f"{number}")) for number in range(8)))
    assert [page.failure for page in pages] == [None] * 8


async def test_stopped_from_outside(spec, tmp_path):
    """Workers that somebody stops are no page's fault, and others take their place; so too if all idle ones are."""
    async with Workers(ParseConfig(workers=1), Patterns(), extractors=(spec,)) as workers:
        for number in range(2):
            started = tmp_path / f"started{number}"
            task = asyncio.create_task(workers.parse(response("hang", started)))
            await until(lambda started=started: started.exists() and started.read_text())
            os.kill(int(started.read_text()), signal.SIGTERM)
            with pytest.raises(ParseInterrupted):
                await task
        idle = await pid(workers)
        os.kill(idle, signal.SIGTERM)
        await until(lambda: not is_running(idle))
        assert await pid(workers) != idle


async def test_close_and_cancel(spec, tmp_path):
    """A cancelled parse ends its worker; closing ends what runs within a second, interrupted, and leaves no worker."""
    files = [tmp_path / "cancelled", tmp_path / "closed"]
    async with Workers(ParseConfig(workers=1), Patterns(), extractors=(spec,)) as workers:
        tasks = []
        for path in files:
            tasks.append(asyncio.create_task(workers.parse(response("hang", path))))
            await until(lambda path=path: path.exists() and path.read_text())
            if path is files[0]:
                tasks[0].cancel()
                with pytest.raises(asyncio.CancelledError):
                    await tasks[0]
        waiting = [asyncio.create_task(workers.parse(response("pid"))) for _ in range(5)]
        await asyncio.sleep(0)
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
    for task in (tasks[1], *waiting):
        with pytest.raises(ParseInterrupted):
            await task
    assert not any(is_running(int(path.read_text())) for path in files)
    with pytest.raises(ParseInterrupted):
        await workers.parse(response("pid"))


async def test_cannot_start(monkeypatch):
    """Workers that die as they start are one clear error at the start, not one for each page."""
    monkeypatch.setattr(process, "prepare_worker", os._exit)
    with pytest.raises(ScraperError, match="workers cannot start"):
        async with Workers(ParseConfig(workers=1, memory=(1 << 28) + 9), Patterns()):  # its last byte is the exit code
            pass


SCRIPT = """
    import asyncio, sys
    from scraper.config import ParseConfig
    from scraper.model import Response
    from scraper.parse import Workers
    from scraper.scope import Patterns

    async def main():
        spec, started = sys.argv[1:]
        async with Workers(ParseConfig(workers=2), Patterns(), extractors=(spec,)) as workers:
            body = f"<title>{started}</title>".encode()
            print("ready", flush=True)
            await workers.parse(Response("http://a.test/hang", 200, (("content-type", "text/html"),), body))

"""


def script(tmp_path, spec, end):
    """A process of its own that parses a page which hangs."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT) + end)
    return subprocess.Popen(
        [sys.executable, path, spec, tmp_path / "started"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )


def session(leader):
    """The living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(")")
        except OSError:
            continue
        state, _, _, sid = fields.split()[:4]
        if int(sid) == leader and state != "Z":
            found.append(name)
    return found


async def test_sudden_death(spec, tmp_path):
    """When the crawling process is killed, all its workers are gone within two seconds, also one that is busy."""
    main = script(tmp_path, spec, 'if __name__ == "__main__":\n    asyncio.run(main())\n')
    try:
        started = tmp_path / "started"
        await until(lambda: started.exists() and started.read_text(), 20)
        assert len(session(main.pid)) >= 3
        main.kill()
        main.communicate()
        await until(lambda: not session(main.pid), 2)
    finally:
        main.kill()
        main.communicate()


async def test_missing_guard(spec, tmp_path):
    """A script that parses outside of `if __name__ == "__main__":` works: no worker runs it again."""
    main = script(tmp_path, spec, "asyncio.run(main())\n")
    try:
        started = tmp_path / "started"
        await until(lambda: started.exists() and started.read_text(), 20)
    finally:
        main.kill()
        output, _ = main.communicate()
    assert output == "ready\n"


async def test_in_process(spec):
    """Without workers pages are parsed here, on a thread, and one that takes too long is given up."""
    running = asyncio.Event()
    proceed = asyncio.Event()
    loop = asyncio.get_running_loop()

    @extractor("*/wait")
    def wait(page):
        loop.call_soon_threadsafe(running.set)
        asyncio.run_coroutine_threadsafe(proceed.wait(), loop).result()

    async with Workers(ParseConfig(workers=0, timeout=0.2), Patterns(), extractors=(spec, wait)) as workers:
        assert await pid(workers) == os.getpid()
        assert await failure(workers, "wait") == "timeout: over 0.2 s"
        assert running.is_set()
        assert await pid(workers) == os.getpid()
        proceed.set()


async def test_not_importable(caplog):
    """An extractor that no worker can import runs in this process, and a warning says which."""
    with caplog.at_level(logging.WARNING):
        here = extractor(name="here")(lambda page: {"pid": os.getpid()})
        async with Workers(ParseConfig(workers=2), Patterns(), extractors=(here,)) as workers:
            page = await workers.parse(response("x"))
    assert page.records[0].data == {"pid": os.getpid()}
    assert [record.getMessage() for record in caplog.records] == [
        "pages are parsed in this process, because no worker can import: <Extractor here>"
    ]


def test_mistakes_first():
    """An extractor that cannot be loaded is an error before anything starts."""
    with pytest.raises(ConfigError, match="there is no file"):
        Workers(ParseConfig(), Patterns(), extractors=("nowhere.py",))


def test_preload():
    """What the workers preload can be imported: the server that forks them would not say if not."""
    code = f"import importlib; [importlib.import_module(name) for name in {process.PRELOADED}]"
    subprocess.run([sys.executable, "-c", code], check=True)
