"""Pages made to hurt whoever parses them, crawled beside honest ones."""

import time

import pytest

import scraper
from scraper.model import UrlState

SIZE = 10_000_000  # bytes
SHAPES = {
    "nested": b"<div>" * 100_000 + b"x" * SIZE,
    "attributes": b"<p " + b" ".join(b"a%d=1" % number for number in range(100_000)) + b">" + b"x" * SIZE,
    "formatting": b"<b><i>" * (SIZE // 6),
    "misnested": b"<b><p>x</b>" * (SIZE // 11),
    "comment": b"<!--" + b"x" * SIZE,
    "comments": b"<!--" * (SIZE // 4),
    "paragraphs": b"<p>" * (SIZE // 3),
    "tables": b"<table><tr><td>" * (SIZE // 15),
    "fostered": b"<table>" + b"<a>x" * (SIZE // 4),
    "selects": b"<select><option>" * (SIZE // 16),
    "drawings": b"<svg>" * (SIZE // 5),
    "templates": b"<template>" * (SIZE // 10),
    "tags": b"<a " * (SIZE // 3),
    "links": b"".join(b"<a href=/%d>" % number for number in range(SIZE // 14)),
    "classes": b"<p class='" + b"c " * (SIZE // 2) + b"'>",
    "references": b"&#1;" * (SIZE // 4),
    "one-text": b"x " * (SIZE // 2),
    "breaks": b"<br>x" * (SIZE // 5),
}
RULES = '[[rule]]\nname = "r"\nfields.a = { select = "p:first-child b", all = true }\nfields.b = "h1"\n'


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rules", [False, True], ids=["plain", "soup"])
async def test_hostile_pages(site, tmp_path, rules):
    """Ten megabytes of any shape cost their own page alone: none outlasts its limit, and all others are stored."""
    honest = [f"/honest/{number}" for number in range(60)]
    site.page("/", [*(f"/hostile/{name}" for name in SHAPES), *honest])
    for name, body in SHAPES.items():
        site.page(f"/hostile/{name}", body=body)
    for path in honest:
        site.page(path)
    (tmp_path / "rules.toml").write_text(RULES)
    options = {"rules": [str(tmp_path / "rules.toml")]} if rules else {}
    outcomes, began = {}, time.monotonic()
    run = scraper.crawl(site.url("/"), store=tmp_path / "crawl.db", depth=1, delay=0.0, per_host=8, **options)
    async for visit in run:
        outcomes["/" + visit.url.url.split("/", 3)[3]] = visit
    assert run.tally.holds
    assert all(outcomes[path].state is UrlState.FETCHED for path in honest)
    for name in SHAPES:
        visit = outcomes[f"/hostile/{name}"]
        assert visit.state is UrlState.FETCHED or visit.detail.startswith(("timeout: over", "memory: ")), visit.detail
    assert time.monotonic() - began < len(SHAPES) * run.config.parse.timeout * 2
