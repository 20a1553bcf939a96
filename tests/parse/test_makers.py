import pytest

from scraper.errors import ConfigError
from scraper.parse import extractor
from scraper.parse.makers import LARGEST_FILE, load

RULE = '[[rule]]\nname = "{}"\nfields.x = "p"\n'


@pytest.fixture
def rules(tmp_path):
    """A file of one rule."""
    path = tmp_path / "shop.toml"
    path.write_text(RULE.format("book"))
    return path


@extractor(name="page")
def everything(page):
    """Make a record of every page."""
    yield {"url": page.url}


def test_names(rules):
    """All that make records are known by name; a rule that only follows makes none."""
    rules.write_text(RULE.format("book") + '[[rule]]\nname = "next"\nfollow = "a"\n')
    assert load([rules], [everything]).names == ("book", "page")


def test_digest(rules):
    """The digest tells rules from others, also after their file was changed."""
    digests = [load([rules], []).digest, load([rules], [everything]).digest]
    rules.write_text(RULE.format("book") + "# changed")
    digests.append(load([rules], []).digest)
    assert len(set(digests)) == 3
    assert load([rules], []).digest == digests[2]


def test_two_of_one_name(rules, tmp_path):
    """Two rules of one name, in one file or two, and a rule named as an extractor, are refused."""
    other = tmp_path / "other.toml"
    other.write_text(RULE.format("book"))
    same = extractor(name="book")(everything.function)
    for files, extractors in (([rules, other], []), ([rules], [same])):
        with pytest.raises(ConfigError, match="two rules or extractors are named 'book'"):
            load(files, extractors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such rules file"),
        (b"\xff", "not UTF-8: .* at byte 0"),
        (b"#" * (LARGEST_FILE + 1), "is no rules file"),
        (b"[[rule]]\nnam = 1", r"shop.toml:2: .*did you mean"),
    ],
    ids=["missing", "latin-1", "huge", "mistake"],
)
def test_bad_files(tmp_path, content, message):
    """A file that cannot be read, or understood, is a ConfigError that names it."""
    path = tmp_path / "shop.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load([path], [])
    assert str(path) in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load([tmp_path], [])
