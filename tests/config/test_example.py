"""`config.example.toml` is the reference of the settings, so it cannot be wrong."""

import re
from pathlib import Path

import pytest

from scraper.config import OPTIONS, Config, load

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def _documented() -> dict[str, tuple[bool, str]]:
    """Return for each key of the example whether it is commented out, and the comment above it."""
    found, section, comment = {}, "", ""
    for line in EXAMPLE.read_text().splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header[1]
        if entry := re.fullmatch(r"(# )?(\w+) = .+", line):
            found[f"{section}.{entry[2]}"] = (bool(entry[1]), comment)
        comment = f"{comment} {line[1:].strip()}" if line.startswith("# ") and not entry else ""
    return found


def test_the_example_changes_nothing():
    """The example parses to exactly the defaults."""
    assert load(EXAMPLE).config == Config()


def test_the_example_names_every_setting():
    """Every setting stands in the example, in order, and nothing else; those without a value are commented out."""
    documented = _documented()
    assert list(documented) == list(OPTIONS.values())
    loaded = load(EXAMPLE)
    for setting in loaded.settings():
        assert documented[setting.key][0] is (setting.value is None)
        assert loaded.origins[setting.key].startswith("default" if setting.value is None else f"file {EXAMPLE}:")


@pytest.mark.parametrize(("option", "key"), OPTIONS.items())
def test_the_example_tells_what_each_setting_means(option, key):
    """Above each key stand its meaning and its variable; durations and sizes name their unit."""
    comment = _documented()[key][1]
    assert f"[SCRAPER_{option.upper()}" in comment
    assert len(comment) > 40
    if re.search(r"timeout|delay|seconds|grace|longest|within|expiry|cooldown|base", key):
        assert "econds" in comment
    if re.search(r"bytes|memory|max_body", key):
        assert "ytes" in comment


def test_lines_of_the_example_are_found(tmp_path):
    """The origin of a setting is the line on which its key stands."""
    lines = EXAMPLE.read_text().splitlines()
    for setting in load(EXAMPLE).settings():
        if setting.origin != "default":
            number = int(setting.origin.rpartition(":")[2])
            assert lines[number - 1].startswith(f"{setting.key.rpartition('.')[2]} = ")
