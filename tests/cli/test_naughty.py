"""Texts that mean harm, in every column, through every way out, on a real terminal (C15, C16, C19, G18)."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
import re
import sqlite3
from contextlib import closing

import pytest

import scraper

BIDI = [chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
# Seen or not, these move nothing and turn nothing; they have to come through unharmed.
ODD = [chr(code) for code in (
    0xA0, 0xAD, 0x34F, 0x115F, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0x206A, 0x206F, 0x3000, 0x3164, 0xFE00, 0xFE0F,
    0xFEFF, 0xFFF9, 0xFFFA, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0xFDD0, 0x1D173, 0x1FFFE, 0xE0001, 0xE0041, 0xE007F,
    0xE0100, 0xE000, 0xF8FF, 0x10FFFF,
)]  # fmt: skip
PLACES = ["{}", "{}after", "before{}", "a {}\n{} b"]
ESCAPES = [
    "\x1b[2J", "\x1b[H", "\x1b[1;1H", "\x1b[31m", "\x1b[0;1;5;7m", "\x1b[?1049h", "\x1b[?25l", "\x1b[6n", "\x1b[c",
    "\x1b[>c", "\x1b[5n", "\x1b[18t", "\x1b[21t", "\x1b[3;0;0t", "\x1b[8;1;1t", "\x1b[9999999999A", "\x1b[K", "\x1b[1K",
    "\x1b[4h", "\x1b[20h", "\x1b[?5h", "\x1b[!p", "\x1b[2;0y", "\x1b]0;owned\x07", "\x1b]0;owned\x1b\\", "\x1b]2;x\x9c",
    "\x1b]4;0;#fff\x07", "\x1b]7;file:///etc\x07", "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "\x1b]9;hello\x07", "\x1b]10;?\x07", "\x1b]11;?\x07", "\x1b]50;x\x07", "\x1b]52;c;cm0gLXJm\x07", "\x1b]52;p;?\x07",
    "\x1b]104\x07", "\x1b]133;A\x07", "\x1b]777;notify;a;b\x07", "\x1b]1337;File=inline=1:AAAA\x07", '\x1bP$q"p\x1b\\',
    "\x1bP+q544e\x1b\\", "\x1bPtmux;\x1b\x1b]0;x\x07\x1b\\", "\x1bP1;1|17/x\x1b\\", "\x1b_Gf=100;AAAA\x1b\\",
    "\x1b^private\x1b\\", "\x1bXstart\x1b\\", "\x1bc", "\x1b7", "\x1b8", "\x1bM", "\x1bD", "\x1bE", "\x1bZ", "\x1b#8",
    "\x1b(0lqk\x1b(B", "\x1b%G", "\x9b2J", "\x9b31m", "\x9d0;owned\x9c", "\x90q\x9c", "\x9fG\x9c", "\x9ep\x9c", "\x85",
    "\x8d", "\x0e\x0f", "a\b\b\bb", "100%\rdone", "a\x7f", "\x1b\x1b[A", "\x1b[\x1b]0;x\x07m",
]  # fmt: skip
FORMULAS = [
    blank + sign + rest
    for blank, sign, rest in itertools.product(
        ["", " ", "\t", "\r", "\n", '"', ' "', "\u3000", "\ufeff", "\x00"],
        "=+-@＝＋－＠﹦﹢﹣﹫",
        ["1+1", "cmd|' /C calc'!A0"],
    )
]
ODDITIES = [
    "", " ", "'", "''", '"', '""', "'=1", ",", ";", ",=1", "a,b", '","=1', "a\r\nb", "\r\n", "\n", "CON", "NUL",
    "aux.txt", "COM1", "../../etc/passwd", "..\\..\\x", "/dev/null", "C:\\x", "~root", "$(id)", "`id`", "; rm -rf /",
    "%s%n%x", "{0}", "{x.__class__}", "%(x)s", "[bold]x[/bold]", "[/x]", "[link=https://evil.example]x[/link]",
    ":smile:", "\\x1b[31m", "\\u001b", "&#27;[2J", "<script>alert(1)</script>", "</title>", "' OR 1=1 --",
    "'; DROP TABLE page; --", "null", "NaN", "Infinity", "-0", "1e999", "0x1b", "true", "None", "undefined",
    "scraper: forged", "ok\nscraper: fetched http://forged.example/", "ok\r\nERROR forged", "ok\u2028forged",
    "Ω≈ç√∫˜µ≤", "田中さん", "مرحبا", "שלום", "👩‍👧‍👦", "🏴\U000e0067\U000e0062\U000e007f",
    "Z" + "\u0301" * 500, "e\u0301",
    "ﬀ", "İ", "ß", "\u1e9e", "a" * 5000, "世" * 3000, "\t" * 50, " " * 500, "\ufeffBOM",
]  # fmt: skip
NAUGHTY = [place.replace("{}", char) for char in [*BIDI, *CONTROLS, *ODD] for place in PLACES]
EVERY = list(dict.fromkeys([*ESCAPES, *FORMULAS, *ODDITIES, *NAUGHTY]))
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
OURS = re.compile(r"\x1b\[[012]m|\x1b\[\?25[hl]|\r?\x1b\[(?:1A|2K)")  # bold, dim; what the display draws by
CELL_OF_A_FORMULA = re.compile('[\t\r]|[\\s"\ufeff\x00]*[=+\\-@＝＋－＠﹦﹢﹣﹫]')

# Commands one after the other, a child for each: what they share is loaded once.
COMMANDS = """
import gc, json, os, sys
import scraper.app, scraper.cli.output, scraper.cli.running, scraper.parse, scraper.reports

gc.freeze()
for arguments in json.loads(open(sys.argv[1]).read()):
    if not (pid := os.fork()):
        sys.argv = ["scraper", *arguments]
        try:
            scraper.cli.main()
        except SystemExit as ended:
            sys.stdout.flush()
            os._exit(ended.code)
    print("=====", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture
def filled(home):
    """A store whose every text column holds every text, each in a row; of crawls there is one for each."""

    async def make():
        async with scraper.open("scraper.db"):
            pass

    asyncio.run(make())
    last = len(EVERY)
    with closing(sqlite3.connect("scraper.db", isolation_level=None)) as db:
        db.execute("BEGIN")
        for number, text in enumerate(EVERY, 1):
            url = f"http://{number}.example/{text}"
            many = json.dumps([text])
            rows = {
                "crawl": {
                    "id": number,
                    "name": text,
                    "state": "finished",
                    "seeds": many,
                    "config": many,
                    "started_at": 1,
                },
                "host": {"id": number, "crawl_id": last, "host": f"{number}{text}", "failed": 1, "robots_status": text},
                "url": {"id": number, "host_id": number, "key": str(number).encode(), "url": url, "depth": 0}
                | {"state": "failed", "reason": "tls", "detail": text, "redirect_to": text, "discovered_at": 1},
                "page": {"url_id": number, "crawl_id": last, "status": 200, "bytes": -1, "elapsed_ms": -1.5}
                | dict.fromkeys(("content_type", "charset", "title", "description", "lang", "text", "canonical"), text)
                | {"content_hash": text, "etag": text, "last_modified": text, "fetched_at": 1}
                | {"headings": many, "headers": many},
            }
            for table, row in rows.items():
                sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
                db.execute(sql, tuple(row.values()))
            data = json.dumps({text: text}, ensure_ascii=False)
            db.execute("INSERT INTO record VALUES (?, ?, 0, ?)", (number, text, data))
            db.execute("INSERT INTO link VALUES (?, 0, ?, ?, ?)", (number, text, text, text))
            db.execute("INSERT INTO rule VALUES (?, ?, 1, 1, 0)", (number, text))
        db.execute("COMMIT")
    return last


@pytest.fixture
def shown(home, start, terminal):
    """Run commands on a terminal; what it got of each, without what is our own of it, and their exit codes."""

    def shown(*commands, columns=80):
        (home / "commands.py").write_text(COMMANDS)
        (home / "commands.json").write_text(json.dumps(commands))
        screen = terminal(columns)
        both = {"stdout": screen.end, "stderr": screen.end, "env": {"TERM": "xterm"}}
        assert start("commands.json", script="commands.py", **both).process.wait(50) == 0
        parts = re.split(r"===== (-?\d+)\r\n", screen.close())
        return list(zip(map(OURS.sub, itertools.repeat(""), parts[::2]), map(int, parts[1::2]), strict=False))

    return shown


def harm(text):
    """What of it moves or turns something, but for the line ends of a terminal."""
    return HARMFUL.findall(text.replace("\r\n", "\n"))


def test_there_are_enough_of_them():
    """More than five hundred texts and sixty escape sequences are tried (G18)."""
    assert len(EVERY) > 700
    assert len(set(ESCAPES)) >= 60


def test_nothing_of_a_store_harms_a_terminal(filled, shown, goal):
    """Every text column comes to a terminal, in whatever form, without anything that it would obey (C15)."""
    views = ("crawls", "urls", "pages", "records", "links", "hosts", "rules")
    forms = ("csv", "json", "jsonl")
    commands = [
        *(("query", f"SELECT * FROM {view}") for view in views),
        *(("query", f"SELECT * FROM {view}", "--format", form) for view in ("urls", "pages") for form in forms),
        ("export", "--what", "records"), ("export", "--what", "pages", "--format", "csv"),
        ("export", "--what", "pages", "--raw-csv", "--format", "csv", "-o", "/dev/stdout"), ("crawls",),
        ("crawls", "--json"), ("status",), ("status", "--json"), ("status", "no such crawl"),
    ]  # fmt: skip
    with goal("G18", "hostile texts in every column of a store, on a terminal") as tries:
        ended = shown(*commands, columns=40)
        assert [code for _, code in ended] == [*(0 for _ in commands[1:]), 2]
        for command, (text, _) in zip(commands, ended, strict=False):
            tries.check(len(text) > 100 and not harm(text), f"{command}: {harm(text)[:9]!r}")
            tries.check("Traceback" not in text, f"{command}: {text[-200:]}")
            tries.tried += len(EVERY)


def test_json_is_exact(filled, run, goal):
    """Whatever stands in a store is read back from JSON as it was, text for text; and no line of it is forged (C15)."""
    column = {"records": "rule", "pages": "title", "links": "text", "urls": "detail"}
    with goal("G18", "hostile texts, exact in JSON") as tries:
        for what, name in column.items():
            exported = [line[name] for line in run("export", "--what", what).lines]
            queried = [row[name] for row in run("query", f"SELECT {name} FROM {what}", "--json").json]
            tries.check(len(exported) == len(queried) == len(EVERY), f"{what}: lines are lost")
            for text, line, row in zip(EVERY, exported, queried, strict=False):
                tries.check(line == text, f"{what}: {text[:99]!a}")
                tries.check(
                    row == text or what == "records", f"{what}: {text[:99]!a}"
                )  # those are in order of their names
            data = [line["data"] for line in run("export", "--what", what).lines if what == "records"]
            tries.check(data == [{text: text} for text in EVERY if what == "records"], "data")


def test_csv_holds_no_formula(filled, run, goal):
    """No cell of CSV is a formula; numbers stay numbers, and with --raw-csv every cell is exact (C16)."""
    with goal("G18", "hostile texts, no formula in CSV") as tries:
        for command in (
            *(("export", "--what", what) for what in ("records", "links", "urls")),
            ("query", "SELECT * FROM pages"),
        ):
            safe, raw = (
                list(csv.reader(io.StringIO(run(*command, "--format", "csv", *option).out, newline="")))
                for option in ((), ("--raw-csv",))
            )
            tries.check(len(safe) == len(raw) == len(EVERY) + 1, f"{len(safe)} rows")
            for row, exact, text in zip(safe[1:], raw[1:], EVERY, strict=True):
                tries.check(text in exact, f"raw: {text[:99]!a}")
                for cell, itself in zip(row, exact, strict=True):
                    formula = CELL_OF_A_FORMULA.match(cell) and cell not in {"-1", "-1.5"}
                    tries.check(not formula and cell in {itself, f"'{itself}"}, f"{cell[:99]!a}")


def test_what_was_typed_harms_no_terminal(filled, shown, home, goal):
    """Names of files, crawls, options and columns, in messages and results, are shown and not obeyed (C15)."""
    texts = [
        "".join(text for text in EVERY if "\0" not in text and len(text) < 40)[:90_000],
        "\x1b]0;x\x07\n\rscraper: forged\u202e\x9b2J",
    ]
    commands = []
    for text in texts:
        (home / "bad.toml").write_text(f"[crawl]\n{json.dumps(text)} = 1\nscope = {json.dumps(text)}\n")
        commands += [
            ("status", text), ("status", "--db", text), ("query", f'SELECT "{text}"'), ("query", text),
            ("query", "SELECT 1", "--format", text), (text,), (f"--{text}",),
            ("query", 'SELECT 1 AS "' + text.replace('"', "")[:50_000] + '"'), ("export", text),
            ("export", "-o", text + "/x"), ("export", "--db", "x/" + text), ("crawl", "--from", text),
            ("crawl", "--config", text, "http://x.example"), ("config", "check", "--config", "bad.toml"),
            ("crawl", "--include", f"({text}", "http://x.example"), ("try", text),
            ("try", f"http://127.0.0.1:1/{text[:2000]}"),
        ]  # fmt: skip
    with goal("G18", "hostile texts on the command line and in messages, on a terminal") as tries:
        for command, (text, code) in zip(commands, shown(*commands), strict=False):
            tries.check(
                code in {0, 1, 2} and text.strip() and not harm(text), f"{command[:1]}: {code} {harm(text)[:9]!r}"
            )
            tries.check("Traceback" not in text, f"{command[:1]}: {text[-300:]}")


@pytest.fixture
def hostile(site):
    """A home page that links to ten pages; every text is in their titles, headings, links, records and headers."""
    pages = [f"/{number}" for number in range(10)]
    site.page("/", pages)
    for number, path in enumerate(pages):
        texts = EVERY[number::10]
        marked = "".join(
            f"<h2>{text}</h2><p class=x>{text}<a href='/no/{text}' rel=nofollow>{text}</a></p>" for text in texts
        )
        latin = "".join(char for char in "".join(texts) if " " <= char <= "\xff" and char != "\x7f")[:900]
        headers = {"ETag": f'"{latin}"', "Last-Modified": latin, "Content-Language": latin}
        site.page(
            path,
            title="".join(texts),
            body=f"<meta name=description content='{''.join(texts)}'>{marked}",
            headers=headers,
        )
    site.redirect("/moved", "/%0d%0ascraper:%20forged?\x9b\u202e")
    site.page("/broken", headers={"Content-Type": "text/\xad\xff; charset=\xff"})
    return site


def test_nothing_of_a_site_harms_a_terminal(hostile, shown, home, goal):
    """In no log, progress, summary, stream or trial a terminal obeys a site; an event is one line (C15, C19)."""
    (home / "rules.toml").write_text(
        '[[rule]]\nname = "x"\nmatch = "*"\neach = "p.x"\n[rule.fields]\ntext = "a"\nlink = "a::attr(href)"\n'
    )
    seeds = [hostile.url(path) for path in ("/", "/moved", "/broken")]
    fast = ("--parse-workers", "0", "--delay", "0", "--per-host", "8")
    commands = [
        ("crawl", *seeds, "--depth", "1", "-v", "--name", "a\x1b[2Jb\nscraper: forged\u202e", *fast),
        ("crawl", *seeds, "--depth", "1", "--stream", "--new", "--rules", "rules.toml", *fast),
        ("try", hostile.url("/3"), "--rules", "rules.toml", *fast), ("try", hostile.url("/broken"), *fast),
    ]  # fmt: skip
    with goal("G18", "a hostile site, on a terminal") as tries:
        ended = shown(*commands, columns=60)
        for command, (text, code) in zip(commands, ended, strict=False):
            tries.check(
                code in {0, 1} and len(text) > 60 and not harm(text), f"{command[0]}: {code} {harm(text)[:9]!r}"
            )
            forged = re.search(r"^scraper: forged|Traceback", text, re.MULTILINE)
            tries.check(not forged, f"{command[0]}: {text[-300:]}")
            tries.tried += len(EVERY)
        fetched = ended[0][0].count("scraper: fetched http")
        tries.check(fetched == 11, f"{fetched} lines of 11 pages")


def test_libraries_and_faults_are_told_harmlessly(start, home):
    """What a library logs is one line, and the traceback of a fault of ours moves no cursor (C15, C19)."""
    (home / "faulty.py").write_text(
        "import logging\n"
        "from scraper import cli\n"
        "from scraper.cli.running import log_to_stderr\n"
        "def fault(**_):\n"
        "    log_to_stderr(quiet=False)\n"
        "    logging.getLogger('aiohttp.client').warning('cookie %s', 'a\\r\\nscraper: forged\\x1b[2J')\n"
        "    raise RuntimeError('b\\x1b[2J\\x9b')\n"
        "cli.commands.main = fault\n"
        "cli.main()\n"
    )
    ended = start(script="faulty.py").ended()
    assert ended.err.splitlines()[0] == "scraper: cookie a␍␊scraper: forged␛[2J"
    assert ended.err.splitlines()[-1] == r"RuntimeError: b␛[2J\x9b"
    assert (ended.code, harm(ended.err)) == (1, [])
