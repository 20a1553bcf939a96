"""Which rule of robots.txt decides on a URL? Row C11, goal G11."""

import re
from time import process_time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.politeness.rules import Rules

SITE = "https://example.com"


def decided(lines, path):
    """The line that decides on a path, the rules being separated by `|`; None if none does."""
    pairs = [line.strip().split(": ", 1) for line in lines.split("|")]
    rule = Rules((name == "Allow", pattern) for name, pattern in pairs).decide(SITE + path)
    return None if rule is None else str(rule)


YES, NO = True, False  # does the rule match?


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        # where a match begins and ends
        ("/", "/", YES),
        ("/", "/a", YES),
        ("/fish", "/fish", YES),
        ("/fish", "/fish.html", YES),
        ("/fish", "/fish/salmon.html", YES),
        ("/fish", "/fishheads", YES),
        ("/fish", "/fish.php?id=anything", YES),
        ("/fish", "/Fish.asp", NO),
        ("/fish", "/catfish", NO),
        ("/fish", "/?id=fish", NO),
        ("/fish/", "/fish", NO),
        ("/fish/", "/fish/?id=anything", YES),
        ("/fish/", "/fish.html", NO),
        ("//a", "//a/b", YES),
        ("/a", "//a", NO),
        # stars
        ("/fish*", "/fish", YES),
        ("/fish*", "/catfish", NO),
        ("/*.php", "/index.php", YES),
        ("/*.php", "/folder/any.php.file.html", YES),
        ("/*.php", "/index?f=filename.php/", YES),
        ("/*.php", "/windows.PHP", NO),
        ("/*.php", "/", NO),
        ("/fish*.php", "/fishheads/catfish.php?parameters", YES),
        ("/fish*.php", "/Fish.PHP", NO),
        ("/a*b*c", "/abc", YES),
        ("/a*b*c", "/axxcbxxcd", YES),
        ("/a*b*c", "/acb", NO),
        ("/**a", "/xa", YES),
        ("/*", "/", YES),
        ("*", "/a", YES),
        ("*.gif$", "/a/b.gif", YES),
        ("*/b", "/a/b", YES),
        ("/*ab*ab", "/xab", NO),
        ("/*ab*ab", "/abab", YES),
        ("/*aba*ba", "/ababa", YES),
        ("/*aba*ba", "/aba", NO),
        # ends
        ("/$", "/", YES),
        ("/$", "/a", NO),
        ("/$", "/?", NO),
        ("/*.php$", "/filename.php", YES),
        ("/*.php$", "/filename.php?parameters", NO),
        ("/*.php$", "/filename.php5", NO),
        ("/*.php$", "/a.php/b.php", YES),
        ("/a*b$", "/ab", YES),
        ("/ab*b$", "/ab", NO),
        ("/a*$", "/abc", YES),
        ("/a$", "/a$", NO),
        ("/a$", "/a$b", NO),
        ("/a$b", "/a$b", YES),
        ("/a$b", "/a", NO),
        ("/a$*", "/a$x", YES),
        ("/a$$", "/a$", YES),
        ("/a$$", "/a", NO),
        # special characters that stand for themselves (section 2.2.3)
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", YES),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-b.html", NO),
        ("/path/file-with-a-%2a.html", "/path/file-with-a-%2A.html", YES),
        ("/path/foo-%24", "/path/foo-$", YES),
        ("/path/foo-%24", "/path/foo-$x", YES),
        ("/path/foo-%24", "/path/foo-", NO),
        ("/a*", "/a%2A", YES),
        # percent-encoding (the table of section 2.2.2)
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz", YES),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", YES),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https://foo.bar", YES),
        ("/foo/bar?baz=https%3a%2f%2ffoo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", YES),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84", YES),
        ("/foo/bar/%E3%83%84", "/foo/bar/%E3%83%84", YES),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84", YES),
        ("/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84", YES),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", YES),
        ("/foo/bar/baz", "/foo/bar/%62%61%7a", YES),
        ("/%7Ejoe/", "/~joe/x", YES),
        ("/~joe/", "/%7ejoe/x", YES),
        ("/a%3cd", "/a%3Cd", YES),
        ("/a<d", "/a%3Cd", YES),
        ("/a b", "/a%20b", YES),
        ("/a%20b", "/a+b", NO),
        ("/a;b=1,2", "/a%3Bb%3D1%2C2", YES),
        ("/a%40b", "/a@b", YES),
        ("/é", "/%E9", NO),
        ("/%E3", "/%E3%83%84", YES),
        ("/100%", "/100%", YES),
        ("/*%", "/a%20b", YES),
        ("/a%2525", "/a%25", NO),
        ("/a%25", "/a%2541", YES),
        ("/a%25", "/a%20b", NO),
        ("/a%2541", "/aA", NO),
        ("/%zz", "/%zz", YES),
        # a separator is not its encoding, but for one in a query that separates nothing
        ("/a/b", "/a%2Fb", NO),
        ("/a%2Fb", "/a/b", NO),
        ("/a%2fb", "/a%2Fb", YES),
        ("/a?b", "/a%3Fb", NO),
        ("/a%3Fb", "/a?b", NO),
        ("/*%2F", "/a?b=%2Fc", YES),
        ("/*%2F", "/a/b", NO),
        ("/*=/c", "/a?b=%2Fc", YES),
        ("/*/c", "/a%2Fc", NO),
        ("/a?b?c", "/a?b%3Fc", YES),
        ("/a%23b", "/a%23b", YES),
        # the query is part of what is matched
        ("/a?x=1", "/a?x=12", YES),
        ("/*?", "/a?", YES),
        ("/*?", "/a", NO),
        ("/*?sessionid=", "/a/b?sessionid=1", YES),
        ("/*sessionid=", "/a/b?x=1&sessionid=1", YES),
        ("/?", "/", NO),
        # what cannot match
        ("fish", "/fish", NO),
        ("https://example.com/fish", "/fish", NO),
        ("?a", "/?a", NO),
        ("$", "/", NO),
        ("%2Ffish", "/fish", NO),
    ],
    ids=lambda value: ascii(value) if isinstance(value, str) else None,
)
def test_a_rule_matches(pattern, path, matches):
    """A rule matches the octets that a path and query begin with, `*` any of them, `$` their end."""
    assert decided(f"Disallow: {pattern}", path) == (f"Disallow: {pattern}" if matches else None)


@pytest.mark.parametrize(
    ("lines", "path", "line"),
    [
        ("Allow: /p | Disallow: /", "/page", "Allow: /p"),
        ("Disallow: / | Allow: /p", "/page", "Allow: /p"),
        ("Allow: /folder | Disallow: /folder", "/folder/page", "Allow: /folder"),
        ("Disallow: /folder | Allow: /folder", "/folder/page", "Allow: /folder"),
        ("Allow: /page | Disallow: /*.htm", "/page.htm", "Disallow: /*.htm"),
        ("Allow: /page | Disallow: /*.ph", "/page.php5", "Allow: /page"),
        ("Allow: /$ | Disallow: /", "/", "Allow: /$"),
        ("Allow: /$ | Disallow: /", "/page.htm", "Disallow: /"),
        ("Disallow: /a$ | Allow: /a", "/a", "Disallow: /a$"),
        ("Disallow: /a* | Allow: /a", "/a", "Disallow: /a*"),
        ("Allow: /x/page. | Disallow: /*.html", "/x/page.html", "Allow: /x/page."),
        ("Allow: /example/page/ | Disallow: /example/page/disallowed.gif", "/example/page/x", "Allow: /example/page/"),
        ("Disallow: /ツ | Allow: /%E3%83%84", "/%E3%83%84", "Allow: /%E3%83%84"),
        ("Allow: /%61 | Disallow: /a", "/a", "Allow: /%61"),
        ("Allow: /%61 | Disallow: /ab", "/abc", "Disallow: /ab"),
        ("Disallow: /é | Allow: /*a*b", "/%C3%A9ab", "Disallow: /é"),
        ("Allow: /*/c | Disallow: /*%2Fcd", "/?%2Fcd", "Disallow: /*%2Fcd"),
        ("Allow: /allowed-slash/index.html | Disallow: /", "/allowed-slash/", "Disallow: /"),
        ("Disallow: /zzz", "/a", None),
        ("Disallow: / | Disallow: /*", "/robots.txt", None),
        ("Disallow: /", "/%72obots.txt", None),
        ("Disallow: /", "/robots.txt?a", "Disallow: /"),
        ("Disallow: /", "/a/robots.txt", "Disallow: /"),
        ("Disallow: /", "/Robots.txt", "Disallow: /"),
    ],
)
def test_the_longest_rule_decides(lines, path, line):
    """Of the rules that match, the one with the most octets decides, Allow before Disallow; /robots.txt is free."""
    assert decided(lines, path) == line


@pytest.mark.parametrize("url", [SITE, f"{SITE}/", f"{SITE}/#top"], ids=["bare", "slash", "fragment"])
def test_a_path_is_never_empty(url):
    """A URL without a path has the path `/`, and a fragment is not part of what is matched."""
    assert Rules([(False, "/$")]).decide(url) is not None


def test_a_long_rule_is_shown_cut():
    """A rule is told by its first 200 characters."""
    assert decided("Disallow: /" + "*" * 999, "/a") == "Disallow: /" + "*" * 199


def test_one_rule_among_many_is_found():
    """Among hundreds of wildcards each is found by its own URL, and by no other."""
    rules = Rules([(False, f"/*word{at:03}x") for at in range(500)] + [(False, "/*q"), (False, "/plain")])
    for at in (0, 250, 499):
        assert str(rules.decide(f"{SITE}/a/word{at:03}x")) == f"Disallow: /*word{at:03}x"
    assert rules.decide(f"{SITE}/a/word500x") is None
    assert str(rules.decide(f"{SITE}/a/q")) == "Disallow: /*q"


LONG = "/" + "a" * 8000


@pytest.mark.parametrize(
    "patterns",
    [
        pytest.param(["/" + "*a" * 200_000 + "c$"], id="one-rule-all-stars"),
        pytest.param([f"/{'*a' * (1000 + at)}c$" for at in range(200)], id="200-rules-all-stars"),
        pytest.param([f"/*a*{at}c" for at in range(25_000)], id="25000-wildcards"),
        pytest.param([f"/*{'a' * (40 + at % 50)}b{'a' * at}" for at in range(1000)], id="slow-needles"),
        pytest.param([f"/*aaa{at:x}" for at in range(30_000)], id="one-gram"),
        pytest.param([f"/{at}" for at in range(50_000)], id="50000-rules"),
        pytest.param([f"/{'a' * at}b" for at in range(1000)], id="every-length"),
        pytest.param(["/" + "%61" * 160_000], id="one-rule-all-escapes"),
    ],
)
def test_a_verdict_is_bounded(patterns):
    """However the rules and the URL are made, judging takes no time that counts: what blows up takes minutes."""
    rules = Rules((False, pattern) for pattern in patterns)
    times = []
    for _ in range(3):
        started = process_time()
        rules.decide(SITE + LONG)
        times.append(process_time() - started)
    assert min(times) < 0.5


def test_what_is_too_much_is_forbidden():
    """If there are more patterns to try than a URL is worth, it is not allowed, and the verdict says so."""
    rules = Rules([(True, "/"), *((False, f"/*{'a' * 60}b*{at}") for at in range(1000))])
    assert str(rules.decide(SITE + LONG)) == "Disallow: (too many patterns to try)"
    assert str(rules.decide(SITE + "/a")) == "Allow: /"


_patterns = st.text("ab/*$", max_size=6).map("/".__add__)


@settings(deadline=None)  # a busy machine is no fault
@given(rules=st.lists(st.tuples(st.booleans(), _patterns), max_size=8), path=st.text("ab/$*", max_size=8))
def test_rules_agree_with_a_plain_reading(rules, path):
    """The decision is that of trying every rule as a regular expression and taking the longest, then Allow."""
    path = "/" + path

    def reads(pattern):
        expression = re.escape(pattern.removesuffix("$")).replace(r"\*", ".*")
        return re.match(expression + (r"\Z" if pattern.endswith("$") else ""), path)

    best = max(((len(pattern), allows) for allows, pattern in rules if reads(pattern)), default=None)
    rule = Rules(rules).decide(SITE + path)
    assert (None if rule is None else (rule.length, rule.allows)) == best


@settings(deadline=None)
@given(
    pattern=st.text("ab/~é *?=&%", max_size=6).map("/".__add__),
    path=st.text("ab~é-._", max_size=6),
    data=st.data(),
)
def test_spelling_makes_no_difference(pattern, path, data):
    """A URL with any of its octets percent-encoded, in either case of the digits, gets the same answer."""
    rules = Rules([(False, pattern)])
    plain = f"{SITE}/{quote(path)}"
    encoded = "".join(
        data.draw(st.sampled_from([quote(char), "".join(f"%{o:02x}" for o in char.encode()), _encoded(char)]))
        for char in path
    )
    assert rules.decide(plain) == rules.decide(f"{SITE}/{encoded}")


def _encoded(char):
    return "".join(f"%{octet:02X}" for octet in char.encode())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.text(max_size=20)), max_size=5), st.text(max_size=20))
def test_any_text_is_a_rule_and_a_url(rules, url):
    """No pattern and no URL make it raise."""
    Rules(rules).decide(f"{SITE}/{url}")
    Rules(rules).decide(url)
