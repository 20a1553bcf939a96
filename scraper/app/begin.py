"""How a crawl comes to be run: begun with its seeds, or gone on with; never a silent mixture of two."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import msgspec

from scraper import config as settings
from scraper import urls
from scraper.app.fetching import access_of
from scraper.app.line import Extractor, patterns_of, taken
from scraper.app.run import Run
from scraper.app.trust import harmless, is_sealed, kept_text, own_key
from scraper.config import Config, CrawlConfig, Loaded
from scraper.errors import ConfigError, CrawlNotFound
from scraper.model import Crawl, CrawlState, Link
from scraper.parse import Makers, load_makers
from scraper.scope import Patterns, Scope
from scraper.seeds import Seeds, Survey
from scraper.store import LONGEST_WAIT, IsDue, NewCrawl, Store

log = logging.getLogger(__name__)

FEW_SEEDS = 10_000


def crawl(
    seeds: str | Iterable[str] | Seeds,
    *,
    store: Store | str | Path = "scraper.db",
    name: str | None = None,
    new: bool = False,
    recrawl: bool = False,
    loaded: Loaded | None = None,
    extractors: Iterable[str | Extractor] = (),
    complain: Callable[[str], None] = log.warning,
    **options: object,
) -> Run:
    """Start a crawl, or go on with the unfinished one of the same name and seeds, and return it to be iterated.

    With `recrawl` a finished crawl of that name is asked again: a page is stored if it has changed, what it was is kept
    in `versions`, and what is gone is marked.

    `seeds` are URLs. `options` are settings by the names of the command line (`depth=2`, `max_pages=100`, …), or
    `loaded` holds them all. `extractors` are functions, or names of them (`shop.py:product`) that a resume finds again.
    `complain` is told of each bad line of a list. Raises ConfigError or UrlError for what cannot be meant, StoreError
    while it runs.
    """
    effective = loaded or settings.load(options=options | {"extractors": _named(extractors)})
    strip = urls.Stripping(effective.config.crawl.strip_parameters)
    found = seeds if isinstance(seeds, Seeds) else Seeds([seeds] if isinstance(seeds, str) else seeds, strip=strip)
    start = _Fresh(found, name=name, new=new, recrawl=recrawl, complain=complain)
    return Run(start, store, effective, _unnamed(extractors))


def resume(
    crawl: str | None = None,
    *,
    store: Store | str | Path = "scraper.db",
    loaded: Loaded | None = None,
    extractors: Iterable[str | Extractor] = (),
    trust: bool = False,
    **options: object,
) -> Run:
    """Go on with an unfinished crawl, by name or number, or the newest; its settings hold but for those given.

    Those of a crawl that another user, or another machine, began may run no function, name no file and open no private
    address unless said anew here, or with `trust`: ConfigError.
    """
    effective = loaded or settings.load(options=options | {"extractors": _named(extractors)})
    return Run(_Again(crawl, trust=trust), store, effective, _unnamed(extractors))


def _named(extractors: Iterable[str | Extractor]) -> tuple[str, ...]:
    return tuple(one for one in extractors if isinstance(one, str))


def _unnamed(extractors: Iterable[str | Extractor]) -> tuple[Extractor, ...]:
    return tuple(one for one in extractors if not isinstance(one, str))


class _Fresh:
    """A crawl of seeds: begun, or gone on with if it is the unfinished one of its name."""

    def __init__(
        self, seeds: Seeds, *, name: str | None, new: bool, recrawl: bool, complain: Callable[[str], None]
    ) -> None:
        self._seeds = seeds
        self._name = name
        self._new = new
        self._recrawl = recrawl
        self._complain = complain
        self._survey: Survey | None = None

    async def prepare(self, loaded: Loaded) -> None:
        """Find what cannot be meant before there is a store."""
        _check(loaded.config)
        self._survey = await asyncio.to_thread(self._seeds.survey, self._complain)

    async def begin(self, store: Store, loaded: Loaded) -> tuple[Crawl, Config]:
        """Return the crawl, its lease taken, and its settings."""
        assert self._survey is not None
        seeds, survey, config = self._seeds, self._survey, _opening(_rooted(loaded.config), self._seeds)
        name = self._name or seeds.name(survey)
        makers = load_makers(config.crawl.rules, config.crawl.extractors)
        kept = kept_text(config, await _key())
        begun = NewCrawl(name, kept, survey.first, survey.count, survey.digest, makers.digest)
        found = None if self._new else await _found(store, name)
        again = self._recrawl and found is not None and await _is_done(store, found, config.crawl)
        if found is not None and found.state is not CrawlState.FINISHED and not again:
            _refuse_other(found, survey.digest, _rooted(settings.from_json(found.config)), config)
            return await _continue(store, found, config)
        scope, links = Scope(config.crawl.scope), _preferred(seeds.links(), patterns_of(config.crawl))
        roots = seeds.roots(scope.root_of) if _asks_scope(config.crawl, survey.count) else None
        if found is not None and again:
            _refuse_other(found, found.digest, _rooted(settings.from_json(found.config)), config)
            taken = await store.take_crawl(
                found, begun.config, begun.makers, now=time.time(), longest_wait=_longest_wait(config)
            )
            crawl = await store.begin_round(
                taken, begun, links, roots, _is_due(makers, config.crawl.max_age), now=time.time()
            )
            log.info("crawl %s is asked again: round %d", crawl.name, crawl.round)
            _tell_changed(found, makers.digest)
            return crawl, config
        crawl = await store.begin_crawl(begun, links, roots, now=time.time())
        log.info("crawl %s begun with %d seed%s", crawl.name, survey.count, "" if survey.count == 1 else "s")
        return crawl, config

    def give_up(self) -> None:
        """Stop reading seeds."""
        self._seeds.stop()


class _Again:
    """An unfinished crawl, gone on with; its settings hold but for those given."""

    def __init__(self, crawl: str | None, *, trust: bool) -> None:
        self._crawl = crawl
        self._trust = trust

    async def prepare(self, loaded: Loaded) -> None:
        """Find what cannot be meant before there is a store."""
        _check(loaded.config)

    async def begin(self, store: Store, loaded: Loaded) -> tuple[Crawl, Config]:
        """Return the crawl, its lease taken, and its settings."""
        found = await store.find_crawl(self._crawl, unfinished=True)
        kept = settings.from_json(found.config)
        if not (self._trust or is_sealed(found.config, await _key())):
            kept = harmless(kept, loaded, found.name)
        config = _rooted(settings.overlaid(kept, loaded))
        if different := _differences(kept, config, ("depth", "scope", "include", "exclude", "strip_parameters")):
            raise ConfigError(
                f"crawl {found.name!r} was begun otherwise: {'; '.join(different)}. What was left out then is not in"
                " the store: start afresh with `scraper crawl --new`"
            )
        return await _continue(store, found, config)

    def give_up(self) -> None:
        """There is nothing to stop."""


def _check(config: Config) -> None:
    load_makers(config.crawl.rules, config.crawl.extractors)
    access_of(config.fetch)
    if config.crawl.sitemaps and not config.politeness.robots:
        raise ConfigError(
            "sitemaps are found in robots.txt, which --no-robots leaves unread: give a sitemap's own URL instead"
        )


def _opening(config: Config, seeds: Seeds) -> Config:
    """Open the addresses that the user typed: exactly those, and nothing that a list or a page names."""
    typed = dict.fromkeys((*config.fetch.allow_origins, *(urls.host(url) for url in seeds.typed)))
    return msgspec.structs.replace(config, fetch=msgspec.structs.replace(config.fetch, allow_origins=tuple(typed)))


async def _key() -> bytes | None:
    return await asyncio.to_thread(own_key, os.environ)


def _makers(config: Config) -> str:
    return load_makers(config.crawl.rules, config.crawl.extractors).digest


def _rooted(config: Config) -> Config:
    """Name files of rules and extractors by their whole paths: who resumes may stand elsewhere."""
    rules = tuple(str(Path(file).expanduser().absolute()) for file in config.crawl.rules)
    extractors = tuple(map(_rooted_spec, config.crawl.extractors))
    return msgspec.structs.replace(
        config, crawl=msgspec.structs.replace(config.crawl, rules=rules, extractors=extractors)
    )


def _rooted_spec(spec: str) -> str:
    file, suffix, name = spec.partition(".py")
    if not suffix or (name and not name.startswith(":")):
        return spec  # a module
    return f"{Path(file + suffix).expanduser().absolute()}{name}"


async def _found(store: Store, name: str) -> Crawl | None:
    try:
        return await store.find_crawl(name)
    except CrawlNotFound:
        return None


def _asks_scope(config: CrawlConfig, seeds: int) -> bool:
    """Where no link is followed the scope is not asked, and a million seeds need not be remembered as its roots.

    One of a few seeds may be a sitemap.
    """
    return bool(config.depth or config.rules or config.sitemaps or seeds <= FEW_SEEDS)


async def _preferred(batches: AsyncIterator[list[Link]], patterns: Patterns) -> AsyncIterator[list[Link]]:
    async for batch in batches:
        yield [link._replace(priority=patterns.priority(link.url)) for link in batch] if patterns.prefer else batch


async def _is_done(store: Store, crawl: Crawl, config: CrawlConfig) -> bool:
    """Has a crawl nothing more to do, so that a recrawl is a new round? So too if one was killed as it was begun."""
    tally = await store.tally(crawl)
    return tally.queued == 0 or (config.max_pages is not None and taken(crawl, tally) >= config.max_pages)


def _is_due(makers: Makers, max_age: float) -> IsDue:
    now = time.time()

    def is_due(url: str, asked_at: float) -> bool:
        """Is what was asked then old enough to be asked again?"""
        of_rule = makers.max_age(url)
        return now - asked_at >= (max_age if of_rule is None else of_rule)

    return is_due


def _tell_changed(found: Crawl, makers: str) -> None:
    if found.makers not in {"", makers}:
        log.warning(
            "crawl %s: its rules or extractors have changed; the pages stored before keep their records"
            " (`scraper extract` makes them anew)",
            found.name,
        )


def _refuse_other(found: Crawl, digest: str, kept: Config, asked: Config) -> None:
    """A name stands for one set of seeds and one scope while its crawl is unfinished."""
    different = _differences(
        kept, asked, ("depth", "scope", "include", "exclude", "strip_parameters", "rules", "extractors")
    )
    if found.digest != digest:
        different.insert(0, "its seeds were others")
    if different:
        going_on = f"go on with it by `scraper resume {found.name!r}`, "
        kind, way_out = ("finished", "") if found.state is CrawlState.FINISHED else ("unfinished", going_on)
        raise ConfigError(
            f"the {kind} crawl {found.name!r} is another one: {'; '.join(different)}: {way_out}"
            "start afresh with --new, or give this one its own --name"
        )


def _differences(kept: Config, asked: Config, names: tuple[str, ...]) -> list[str]:
    return [
        f"{name} was {getattr(kept.crawl, name)!r} and is now {getattr(asked.crawl, name)!r}"
        for name in names
        if getattr(kept.crawl, name) != getattr(asked.crawl, name)
    ]


def _longest_wait(config: Config) -> float:
    """The longest that a host or a URL may have to wait by right."""
    polite = config.politeness
    return max(LONGEST_WAIT, polite.longest_retry_after, polite.breaker.longest, polite.retry.longest)


async def _continue(store: Store, found: Crawl, config: Config) -> tuple[Crawl, Config]:
    makers = _makers(config)
    taken = await store.take_crawl(
        found, kept_text(config, await _key()), makers, now=time.time(), longest_wait=_longest_wait(config)
    )
    _tell_changed(found, makers)
    tally = await store.tally(taken)
    log.info("crawl %s goes on: %d pages so far, %d URLs queued", taken.name, tally.fetched, tally.queued)
    return dataclasses.replace(taken, continued=True), config
