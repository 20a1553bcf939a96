"""What a host's URLs show together: shapes that bring nothing new, session ids, orders of a query. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from scraper.model import Reason, Verdict
from scraper.traps.forms import VARIABLE, shape, skeleton

COPY, NUMBERS, CHAIN = 20, 5, 2  # what an idle page counts: a copy, one that differs in numbers alone, one deep in
WHOLE = COPY  # so much is one page of the limit
SELF_FED = 16  # generations; breadth first, a hundred thousand pages that link to a few others lie within ten
MOST_IDLE = 500  # idle pages of one shape; as many links to nothing but the next page are rare on honest sites
MOST_SESSIONS = 3  # session ids that one page is asked with
MOST_ORDERS = 2  # orders of the same parameters
MOST_SHAPES = 1000  # shapes with idle pages that a host's state holds
REMEMBERED_TEXTS = 4096  # the latest fingerprints that a host's pages are compared with
REMEMBERED_VARIANTS = 50_000  # pages with session ids, and queries with several parameters, of a host


def next_generation(form: str, parent_form: str, generation: int, *, copy: bool) -> int:
    """Return the generation of a URL of shape `form` from what the page it was found on has: its shape and generation.

    It is one more if both have one shape, or if that page was a copy (`Shapes.fetched` said so): else a trap whose
    pages lead from one shape to another and back would begin anew each time. Otherwise it is 0, as for a seed.
    """
    return generation + 1 if copy or form == parent_form else 0


class Shapes:
    """What was seen of each shape of URL on one host, and which URLs are refused for it.

    An idle page has a shape with a variable part, and was found either more than SELF_FED generations deep, or at
    least one and with a text that an earlier page of its shape had (`generation` is what `next_generation` says).
    After `limit` copies URLs of the shape are refused but for those of generation 0, which pages of another kind lead
    to; after four times as many if the texts differ in numbers and are mostly numbers, and ten times as many if they
    are new: a long list or a diary has pages by the thousand that lead from one to the next. `counts` tells what a
    resumed crawl begins with; texts, session ids and orders are not kept. A host without variable URLs costs two empty
    dicts.
    """

    def __init__(self, limit: int = MOST_IDLE, counts: Mapping[str, int] | None = None) -> None:
        self._limit = limit
        self._idle: dict[str, int] = dict(counts or {})
        self._texts: dict[int, None] = {}  # hashes of shape and fingerprint, the latest last
        self._variants: dict[int, tuple[int, ...]] = {}  # by hash of what variants share: the hashes of those asked
        self._changed: dict[str, int] = {}
        self._drop_small()

    def __repr__(self) -> str:
        return f"Shapes({self._limit}, {self._idle})"

    def counts(self) -> dict[str, int]:
        """Return the idle pages of each shape that has any: at most MOST_SHAPES, those with most."""
        return dict(self._idle)

    def changes(self) -> dict[str, int]:
        """Return by how much the idle pages of each shape count more since this was last asked."""
        changed, self._changed = self._changed, {}
        return changed

    def verdict(self, url: str, generation: int) -> Verdict | None:
        """Return why a canonical URL about to be requested is refused, or None, which counts as asked.

        A retry is free: to session ids and orders, the same URL is no other one.
        """
        bare = skeleton(url)
        if bare is not None and not self._admits(hash((bare, "session")), hash(url), MOST_SESSIONS):
            return Verdict(Reason.TRAP, f"the same page was asked with {MOST_SESSIONS} other session ids")
        base = url if bare is None else bare
        if "&" in base:
            path, _, query = base.partition("?")
            if not self._admits(hash((path, *sorted(query.split("&")))), hash(base), MOST_ORDERS):
                return Verdict(Reason.TRAP, f"the same parameters were asked in {MOST_ORDERS} other orders")
        if generation and self._idle:
            form = shape(url)
            if self._idle.get(form, 0) > self._limit * WHOLE:
                return Verdict(Reason.TRAP, f"pages like {form} lead on and on to each other")
        return None

    def fetched(self, url: str, generation: int, fingerprint: bytes) -> bool:
        """Note a page that came, by the fingerprint of its text, and say if it is a copy of one of its shape."""
        form = shape(url)
        if VARIABLE not in form:
            return False
        known = self._has_text(hash((form, fingerprint[:-1])))
        is_copy = known and not fingerprint[-1]
        if generation > 0 and (weight := COPY if is_copy else NUMBERS if known else CHAIN * (generation > SELF_FED)):
            self._idle[form] = self._idle.get(form, 0) + weight
            self._changed[form] = self._changed.get(form, 0) + weight
            self._drop_small()
        return is_copy

    def _has_text(self, text: int) -> bool:
        """Whether it was there already; either way it is the latest now."""
        known = text in self._texts
        if known:
            del self._texts[text]
        elif len(self._texts) >= REMEMBERED_TEXTS:
            del self._texts[next(iter(self._texts))]
        self._texts[text] = None
        return known

    def _admits(self, shared: int, variant: int, most: int) -> bool:
        """Whether the variant is among the first `most` of those with something in common.

        Exact until REMEMBERED_VARIANTS are held; then the oldest is forgotten, and only the count of idle pages bounds
        the crawl.
        """
        asked = self._variants.get(shared, ())
        if variant in asked:
            return True
        if len(asked) >= most:
            return False
        if not asked and len(self._variants) >= REMEMBERED_VARIANTS:
            del self._variants[next(iter(self._variants))]
        self._variants[shared] = (*asked, variant)
        return True

    def _drop_small(self) -> None:
        """Keep the largest when there are too many; down to nine tenths, so that it is seldom done."""
        if len(self._idle) > MOST_SHAPES:
            largest = sorted(self._idle, key=self._idle.__getitem__, reverse=True)[: MOST_SHAPES * 9 // 10]
            self._idle = {form: self._idle[form] for form in largest}
