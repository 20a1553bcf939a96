"""Where settings come from, and every message about one that cannot be meant."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config import OPTIONS, Config, CrawlConfig, PolitenessConfig, Setting, from_json, load, overlaid, to_json
from scraper.errors import ConfigError


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write `scraper.toml` into an empty current folder."""
    monkeypatch.chdir(tmp_path)
    file = Path("scraper.toml")

    def write(source):
        file.write_bytes(source if isinstance(source, bytes) else source.encode())
        return file

    return write


def problems(*args, **kwargs):
    """Return the lines of the error that loading ends in."""
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return str(caught.value).split("\n")


def test_nothing_given_is_the_defaults():
    """Without file, environment and options, every setting has its default and says so."""
    loaded = load()
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == set(OPTIONS.values())


def test_each_source_overrides_the_ones_before(written):
    """The command line wins over the environment, that over the file, that over the default; each names itself."""
    file = written("[crawl]\ndepth = 1\n\n[politeness]\nper_host = 3\ndelay = 2\n")
    loaded = load(file, {"SCRAPER_PER_HOST": "4", "SCRAPER_DELAY": "0.25"}, {"delay": 0, "max_pages": None})
    assert loaded.config == Config(crawl=CrawlConfig(depth=1), politeness=PolitenessConfig(per_host=4, delay=0.0))
    assert loaded.origins["crawl.depth"] == "file scraper.toml:2"
    assert loaded.origins["politeness.per_host"] == "environment SCRAPER_PER_HOST"
    assert loaded.origins["politeness.delay"] == "command line --delay"
    assert loaded.origins["crawl.max_pages"] == "default"


def test_every_setting_can_be_shown_with_its_origin():
    """`settings()` yields key, value and origin of each setting once, in the order of the sections."""
    shown = list(load(options={"robots": False}).settings())
    assert [setting.key for setting in shown] == list(OPTIONS.values())
    assert shown[0] == Setting("crawl.depth", 0, "default")
    assert Setting("politeness.robots", False, "command line --no-robots") in shown


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("depth", "crawl.depth"),
        ("user_agent", "fetch.user_agent"),
        ("allow_private", "fetch.allow_private"),
        ("per_host", "politeness.per_host"),
        ("retry_attempts", "politeness.retry.attempts"),
        ("breaker_longest", "politeness.breaker.longest"),
        ("parse_workers", "parse.workers"),
        ("store_bodies", "store.bodies"),
    ],
)
def test_every_setting_has_an_option_of_its_own(option, key):
    """An option bears its field's name, with the section in front where the field alone says too little."""
    assert OPTIONS[option] == key
    assert len(OPTIONS) == len(set(OPTIONS.values())) == len(list(load().settings()))


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("SCRAPER_DEPTH", "3", "crawl.depth", 3),
        ("SCRAPER_DELAY", " 0.1 ", "politeness.delay", 0.1),
        ("SCRAPER_ROBOTS", "false", "politeness.robots", False),
        ("SCRAPER_ROBOTS", "1", "politeness.robots", True),
        ("SCRAPER_SCOPE", "domain", "crawl.scope", "domain"),
        ("SCRAPER_PARSE_WORKERS", "0", "parse.workers", 0),
        ("SCRAPER_INCLUDE", r"/a/ \.html$", "crawl.include", ("/a/", r"\.html$")),
        ("SCRAPER_ALLOW_PRIVATE", "127.0.0.0/8 ::1", "fetch.allow_private", ("127.0.0.0/8", "::1")),
        ("SCRAPER_USER_AGENT", "my bot/1", "fetch.user_agent", "my bot/1"),
        ("SCRAPER_DEPTH", "", "crawl.depth", 0),
    ],
)
def test_a_variable_is_the_option_spelled_out(name, text, key, value):
    """A variable's text becomes the setting's type; blanks separate the values of a list; an empty one is unset."""
    found = {setting.key: setting.value for setting in load(environ={name: text}).settings()}
    assert found[key] == value
    assert type(found[key]) is type(value)


def test_variables_that_are_no_settings_are_ignored_but_told():
    """An unknown SCRAPER_ variable changes nothing and is listed; SCRAPER_DB belongs to the command line."""
    loaded = load(environ={"SCRAPER_DELY": "x", "SCRAPER_DB": "a.db", "HOME": "/", "SCRAPER_DEPTH": "1"})
    assert loaded.config == Config(crawl=CrawlConfig(depth=1))
    assert loaded.ignored == ("SCRAPER_DELY",)


@pytest.mark.parametrize(
    ("value", "expected"), [("/a/", ("/a/",)), (["/a/", "/b/"], ("/a/", "/b/")), ((), ("file",)), ([], ())]
)
def test_a_list_option_takes_one_or_several_texts(written, value, expected):
    """A lone text is a list of one; an empty tuple, which click gives for an absent option, is not given."""
    file = written('[crawl]\ninclude = ["file"]')
    assert load(file, options={"include": value}).config.crawl.include == expected


TABLES = "crawl, fetch, politeness, politeness.retry, politeness.breaker, parse, store"
FILE_PROBLEMS = [
    ("[crawl]\ndept = 2", "2: unknown key crawl.dept: did you mean depth?"),
    ("depth = 2", "1: unknown key depth: did you mean depth in [crawl]?"),
    ("[crawl]\ndelay = 2", "2: unknown key crawl.delay: did you mean delay in [politeness]?"),
    (
        "[store]\nzzz = 2",
        f"2: unknown key store.zzz; known here: {', '.join(Config().store.__struct_fields__)}",
    ),
    (
        "zzz = 2",
        f"1: unknown key zzz; known tables: {TABLES}",
    ),
    ("# x\n\n[crawll]\ndepth = 1", "3: unknown table [crawll]: did you mean [crawl]?"),
    ("[politeness.retri]\nbase = 1", "1: unknown table [politeness.retri]: did you mean [politeness.retry]?"),
    (
        "[rules]",
        f"1: unknown table [rules]; known tables: {TABLES}",
    ),
    ("crawl = 3", "1: crawl is a table: write [crawl], and its keys on lines of their own"),
    ("[[crawl]]\ndepth = 3", "1: crawl is a table: write [crawl], and its keys on lines of their own"),
    ("[crawl]\ndepth = '2'", '2: crawl.depth must be a whole number, not "2"'),
    ("[crawl]\ndepth = 1.5", "2: crawl.depth must be a whole number, not 1.5"),
    ("[crawl]\ndepth = true", "2: crawl.depth must be a whole number, not true"),
    ("[crawl]\ndepth = 2024-01-01", '2: crawl.depth must be a whole number, not "2024-01-01"'),
    ("[crawl.depth]\nx = 1", '1: crawl.depth must be a whole number, not {"x": 1}'),
    ("[crawl]\nmax_pages = 'all'", '2: crawl.max_pages must be a whole number, not "all"'),
    ("[politeness]\ndelay = 'slow'", '2: politeness.delay must be a number, not "slow"'),
    ("[politeness]\nrobots = 1", "2: politeness.robots must be true or false, not 1"),
    ("[fetch]\nuser_agent = 1", "2: fetch.user_agent must be text, not 1"),
    ("[crawl]\nscope = 'hosts'", '2: crawl.scope must be one of host, domain, prefix, any, not "hosts"'),
    ("[crawl]\ninclude = 'a'", '2: crawl.include must be a list of texts, not "a": write ["a"]'),
    ("[crawl]\ninclude = [\n  'a = b',\n  1,\n]", '2: crawl.include must be a list of texts, not ["a = b", 1]'),
    ("[crawl]\ndepth = -1", "2: crawl.depth must be at least 0, not -1"),
    ("crawl.depth = -1", "1: crawl.depth must be at least 0, not -1"),
    ("crawl = { depth = -1 }", "1: crawl.depth must be at least 0, not -1"),
    ("[politeness]\nretry.attempts = 0", "2: politeness.retry.attempts must be at least 1, not 0"),
    (
        "[crawl]\nexclude = ['(']",
        "2: crawl.exclude holds no regular expression: '(': missing ), unterminated subpattern at position 0",
    ),
    ("depth", "1: not TOML: Expected '=' after a key in a key/value pair"),
    ("[crawl]\ndepth = 1\ndepth = 2", "3: not TOML: Cannot overwrite a value"),
    ("[crawl]\n\ndepth = = 2\n", "3: not TOML: Invalid value, column 9"),
]


@pytest.mark.parametrize(("source", "problem"), FILE_PROBLEMS)
def test_a_bad_file_is_told_by_line_and_key(written, source, problem):
    """Each error names file, line and key, what was expected, and the nearest known name."""
    assert problems(written(source)) == [f"file scraper.toml:{problem}"]


def test_all_problems_are_told_at_once(written):
    """Whatever is wrong in file, environment and options comes in one error, one line each."""
    file = written("[crawl]\nscope = '''\n[fetch]\n'''\ndepth = -1\n[fetsh]\nx = 1\n")
    assert problems(file, {"SCRAPER_DELAY": "x"}, {"per_hst": 1}) == [
        "file scraper.toml:6: unknown table [fetsh]: did you mean [fetch]?",
        'file scraper.toml:2: crawl.scope must be one of host, domain, prefix, any, not "[fetch]\\n"',
        "file scraper.toml:5: crawl.depth must be at least 0, not -1",
        'environment SCRAPER_DELAY: politeness.delay must be a number, not "x"',
        "unknown option per_hst: did you mean per_host?",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.toml", "no such file; name an existing one, or begin with a copy of config.example.toml"),
        ("folder", "a folder; name a TOML file in it"),
        ("utf-16.toml", "not UTF-8 text (byte 1); save it as UTF-8"),
        ("nul\0.toml", "cannot be read: embedded null byte"),
        ("loop.toml", "cannot be read: Too many levels of symbolic links"),
    ],
    ids=ascii,
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, name, message):
    """A file that is missing, a folder, unreadable or not UTF-8 is named with the way out."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "utf-16.toml").write_bytes("[crawl]".encode("utf-16"))
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    assert problems(tmp_path / name) == [f"file {tmp_path / name}: {message}"]


def test_a_file_may_begin_with_a_byte_order_mark_and_end_lines_as_it_likes(written):
    """A BOM and CRLF, as editors on other systems write them, change nothing."""
    loaded = load(written(b"\xef\xbb\xbf[crawl]\r\n# x\r\ndepth = 2\r\n"))
    assert loaded.config.crawl.depth == 2
    assert loaded.origins["crawl.depth"] == "file scraper.toml:3"


RANGE_HINT = "; write 10.0.0.0/8 or 192.168.1.7"


@pytest.mark.parametrize(
    ("environ", "options", "problem"),
    [
        ({"SCRAPER_DEPTH": "1.5"}, {}, 'environment SCRAPER_DEPTH: crawl.depth must be a whole number, not "1.5"'),
        (
            {"SCRAPER_ROBOTS": "yes"},
            {},
            'environment SCRAPER_ROBOTS: politeness.robots must be true or false, not "yes"',
        ),
        ({"SCRAPER_DELAY": "-1"}, {}, "environment SCRAPER_DELAY: politeness.delay must be at least 0, not -1.0"),
        ({"SCRAPER_DELAY": "nan"}, {}, "environment SCRAPER_DELAY: politeness.delay must be at least 0, not nan"),
        ({}, {"per_host": 0}, "command line --per-host: politeness.per_host must be at least 1, not 0"),
        ({}, {"depth": "2"}, 'command line --depth: crawl.depth must be a whole number, not "2"'),
        ({}, {"robots": 1}, "command line --robots: politeness.robots must be true or false, not 1"),
        (
            {},
            {"include": "*"},
            "command line --include: crawl.include holds no regular expression: '*': nothing to repeat at position 0",
        ),
        (
            {},
            {"allow_private": ["10.1/8"]},
            f"command line --allow-private: fetch.allow_private holds no address range: '10.1/8'{RANGE_HINT}",
        ),
        (
            {},
            {"extractors": [1]},
            "command line --extractor: crawl.extractors must be a list of texts, not [1]",
        ),
        ({}, {"max-pages": 1}, "unknown option max-pages: did you mean max_pages?"),
        ({}, {"zzz": 1}, f"unknown option zzz; known: {', '.join(OPTIONS)}"),
        ({}, {"depth": "x" * 99}, f'command line --depth: crawl.depth must be a whole number, not "{"x" * 58}…'),
    ],
)
def test_a_bad_variable_or_option_is_told_by_name(environ, options, problem):
    """Each error names the variable or option, the key, and what was expected."""
    assert problems(None, environ, options) == [problem]


@settings(deadline=None)
@given(st.integers(0, 99), st.lists(st.sampled_from(["a", r"\d", "ä"])), st.none() | st.integers(1, 9), st.booleans())
def test_settings_survive_being_kept(depth, include, workers, robots):
    """What is kept with a crawl reads back as it was."""
    options = {"depth": depth, "include": include, "parse_workers": workers, "robots": robots}
    config = load(options=options).config
    assert from_json(to_json(config)) == config


def test_kept_settings_hold_but_for_those_given_now(written):
    """What is given now overrides what was kept, even with the default's value; defaults override nothing."""
    kept = Config(crawl=CrawlConfig(depth=3, concurrency=8), politeness=PolitenessConfig(delay=2.0))
    given = load(written("[crawl]\nconcurrency = 32"), options={"per_host": 5})
    assert overlaid(kept, given) == Config(
        crawl=CrawlConfig(depth=3, concurrency=32), politeness=PolitenessConfig(delay=2.0, per_host=5)
    )


@pytest.mark.parametrize(
    "text",
    ["{}", '{"crawl": {}}', '{"crawl": {"new": 1}, "future": {"a": [1]}}', '{"crawl": 3}', "[]", "null"],
)
def test_keys_of_other_versions_do_not_matter(text):
    """Keys that this version lacks are ignored, and those that it has and were not kept have their default."""
    assert from_json(text) == Config()


def test_known_keys_beside_unknown_ones_are_kept():
    """An unknown key loses nothing else."""
    text = json.dumps({"crawl": {"depth": 2, "new": 1}, "politeness": {"retry": {"attempts": 9, "new": 1}}})
    config = from_json(text)
    assert (config.crawl.depth, config.politeness.retry.attempts) == (2, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "settings kept with the crawl: not JSON: "),
        ('{"crawl": {"depth": -1}}', "settings kept with the crawl: crawl.depth must be at least 0, not -1; "),
        ('{"crawl": {"depth": "x"}}', 'settings kept with the crawl: crawl.depth must be a whole number, not "x"; '),
    ],
)
def test_kept_settings_that_no_version_wrote_are_refused(text, message):
    """A damaged text is an error that names the way out."""
    with pytest.raises(ConfigError) as caught:
        from_json(text)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("start it afresh with --new")
