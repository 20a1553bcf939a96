"""`scraper config`: the effective settings, where each came from, and whether they are right."""

from __future__ import annotations

import pytest


@pytest.fixture
def file(home):
    """A settings file with a depth on line 3."""
    (home / "scraper.toml").write_text("# ours\n[crawl]\ndepth = 3\ninclude = ['a', 'b']\n")
    return "scraper.toml"


def test_show_tells_each_setting_and_its_origin(run, file, monkeypatch):
    """Default, file with line, and environment are told beside each value; the environment wins over the file."""
    monkeypatch.setenv("SCRAPER_DELAY", "0.25")
    monkeypatch.setenv("SCRAPER_EXCLUDE", "x y")
    settings = {
        row["setting"]: (row["value"], row["origin"]) for row in run("config", "show", "--config", file, "--json").json
    }
    assert settings["crawl.depth"] == (3, "file scraper.toml:3")
    assert settings["crawl.include"] == (["a", "b"], "file scraper.toml:4")
    assert settings["crawl.exclude"] == (["x", "y"], "environment SCRAPER_EXCLUDE")
    assert settings["politeness.delay"] == (0.25, "environment SCRAPER_DELAY")
    assert settings["crawl.concurrency"] == (32, "default")
    monkeypatch.setenv("SCRAPER_DEPTH", "5")
    table = [line.split() for line in run("config", "show", "--config", file).out.splitlines()]
    assert ["crawl.depth", "5", "environment", "SCRAPER_DEPTH"] in table
    assert ["crawl.max_pages", "default"] in table
    assert len(table) == len(settings) + 1


def test_check_says_that_all_is_right(run, file):
    """Settings that are right end with 0 and a line that says how many are set."""
    assert run("config", "check", "--config", file) == (
        0,
        "scraper.toml: all right, 2 settings differ from their defaults or are set\n",
        "",
    )
    assert run("config", "check").out.startswith("defaults: all right, 0 settings")
    assert run("config", "check", "--config", file, "--json").json == {"ok": True, "set": 2, "ignored": []}


def test_check_tells_variables_that_name_nothing(run, monkeypatch):
    """A variable that looks like ours and names no setting is told on stderr."""
    monkeypatch.setenv("SCRAPER_DELY", "1")
    ended = run("config", "check")
    assert (ended.code, ended.err) == (0, "SCRAPER_DELY names no setting and is ignored\n")
    assert run("config", "check", "--json").json["ignored"] == ["SCRAPER_DELY"]


@pytest.mark.parametrize("command", ["check", "show"])
def test_every_mistake_is_told_at_once(run, home, monkeypatch, command):
    """All that is wrong is told in one go, one line each, and the exit code is 2."""
    (home / "wrong.toml").write_text("[crawl]\ndeth = 1\n[store]\nbodies = 'yes'\n")
    monkeypatch.setenv("SCRAPER_DELAY", "soon")
    ended = run("config", command, "--config", "wrong.toml")
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert len(lines) == 3
    for place in ("wrong.toml:2: unknown key crawl.deth: did you mean depth?", "wrong.toml:4", "SCRAPER_DELAY"):
        assert any(place in line for line in lines)
