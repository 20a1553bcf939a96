"""Group commit: visits come out once their batch is safe, none lost, none twice, the source held up when need be."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.store import Writer, batches

NEVER = 3600.0  # seconds


class Line:
    """A source of numbers, a writer and what was committed; both ends can be held."""

    def __init__(self, count=10, *, size=3, age=NEVER, hold_after=None):
        self.count, self.hold_after = count, hold_after
        self.given, self.commits = 0, []
        self.source_open, self.commit_open = asyncio.Event(), asyncio.Event()
        self.source_open.set()
        self.commit_open.set()
        self.source_closed = False
        self.changed = asyncio.Event()
        self.error = self.commit_error = None
        self.writer = Writer(self.commit, size=size, age=age)

    async def source(self):
        """Yield the numbers from 1, each when the source is open."""
        try:
            while self.given < self.count:
                await asyncio.sleep(0)
                await self.source_open.wait()
                self.given += 1
                if self.given == self.hold_after:
                    self.source_open.clear()
                self.changed.set()
                yield self.given
            if self.error is not None:
                raise self.error
        finally:
            self.source_closed = True

    async def commit(self, batch):
        """Remember a batch when commits are open."""
        await asyncio.sleep(0)
        await self.commit_open.wait()
        if self.commit_error is not None:
            raise self.commit_error
        self.commits.append(list(batch))
        self.changed.set()

    def visits(self):
        """What the writer yields."""
        return self.writer.committed(self.source())

    @property
    def committed(self):
        """All that is safe, in order."""
        return [visit for batch in self.commits for visit in batch]

    async def until(self, holds):
        """Wait for something to become true by a commit or by the source."""
        async with asyncio.timeout(5):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def rest(self):
        """Let everything run until nothing more happens without help."""
        for _ in range(200):
            await asyncio.sleep(0)


def others():
    """The tasks that are left."""
    return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_batch_closes_by_size():
    """A batch that is full is committed; the last one is when the source has ended."""
    line = Line(10, size=4)
    assert [visit async for visit in line.visits()] == list(range(1, 11))
    assert line.commits == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert others() == []


async def test_a_batch_closes_by_age():
    """A batch that is not full is committed when it has its age."""
    line = Line(3, size=100, age=0.01, hold_after=2)
    async with asyncio.timeout(5):
        visits = line.visits()
        assert [await anext(visits), await anext(visits)] == [1, 2]
        line.source_open.set()
        assert [visit async for visit in visits] == [3]
    assert line.committed == [1, 2, 3]


async def test_an_empty_batch_is_committed_too():
    """When nothing ends for the time of a batch, an empty one is committed, and again after that."""
    line = Line(1, size=100, age=0.01)
    line.source_open.clear()
    taking = asyncio.create_task(anext(line.visits()))
    await line.until(lambda: len(line.commits) == 2)
    assert line.commits == [[], []]
    line.source_open.set()
    assert await taking == 1


async def test_an_age_of_zero_does_not_spin(monkeypatch):
    """With no age at all what ends is committed at once, and an idle line is at rest."""
    monkeypatch.setattr(batches, "IDLE", NEVER)
    line = Line(3, size=100, age=0.0, hold_after=1)
    visits = line.visits()
    assert await asyncio.wait_for(anext(visits), 5) == 1
    await line.rest()
    assert line.commits == [[1]]
    line.source_open.set()
    assert [visit async for visit in visits] == [2, 3]


async def test_flush_closes_the_batch():
    """Asked to, the writer commits what there is at once, and after that waits for full batches again."""
    line = Line(9, size=4, hold_after=2)
    visits = line.visits()
    taking = asyncio.create_task(anext(visits))
    await line.rest()
    assert (line.given, line.commits) == (2, [])
    line.writer.flush()
    assert await asyncio.wait_for(taking, 5) == 1
    line.source_open.set()
    assert [visit async for visit in visits] == list(range(2, 10))
    assert line.commits == [[1, 2], [3, 4, 5, 6], [7, 8, 9]]


async def test_flush_before_anything_has_ended_waits_for_one():
    """Asked before there is anything, the writer commits the first visit as soon as it comes."""
    line = Line(3, size=100)
    line.source_open.clear()
    visits = line.visits()
    taking = asyncio.create_task(anext(visits))
    await line.rest()
    line.writer.flush()
    await line.rest()
    assert line.commits == []
    line.source_open.set()
    assert await asyncio.wait_for(taking, 5) == 1
    assert line.commits[0] == list(range(1, len(line.commits[0]) + 1))
    assert [visit async for visit in visits] == [2, 3]


async def test_news_is_committed_at_once():
    """News of a host that must outlast a kill is committed though nothing has ended, and once (B11)."""
    line = Line(3, size=100)
    line.source_open.clear()
    visits = line.visits()
    taking = asyncio.create_task(anext(visits))
    await line.rest()
    line.writer.remember()
    await line.rest()
    assert line.commits == [[]]
    line.source_open.set()
    assert await asyncio.wait_for(taking, 5) == 1
    assert [visit async for visit in visits] == [2, 3]
    assert line.commits == [[], [1, 2, 3]]


async def test_a_visit_comes_out_only_when_it_is_safe():
    """Nothing is yielded before its batch has committed; meanwhile the next batch fills, and no further."""
    line = Line(20, size=3)
    line.commit_open.clear()
    visits = line.visits()
    taking = asyncio.create_task(anext(visits))
    await line.rest()
    assert not taking.done()
    assert line.given == 6
    line.commit_open.set()
    assert await taking == 1
    async for visit in visits:
        assert visit in line.committed
    assert line.committed == list(range(1, 21))


async def test_a_consumer_that_does_not_take_holds_up_the_source():
    """Behind a consumer that does not take, at most four batches gather, and all of them come when he does."""
    line = Line(100, size=3)
    visits = line.visits()
    assert await anext(visits) == 1
    await line.rest()
    assert line.given <= 12
    assert [visit async for visit in visits] == list(range(2, 101))
    assert line.committed == list(range(1, 101))


@pytest.mark.parametrize("taken", [1, 3, 4])
@pytest.mark.parametrize("commit_held", [False, True])
async def test_closed_early_it_commits_what_has_ended(taken, commit_held):
    """When the consumer leaves, all that had ended is committed before it is gone, and no task is left."""
    line = Line(100, size=3)
    visits = line.visits()
    assert [await anext(visits) for _ in range(taken)] == list(range(1, taken + 1))
    if commit_held:
        line.commit_open.clear()
    await line.rest()
    closing = asyncio.create_task(visits.aclose())
    await line.rest()
    assert closing.done() is not commit_held
    line.commit_open.set()
    await asyncio.wait_for(closing, 5)
    assert line.source_closed
    assert line.committed == list(range(1, line.given + 1))
    assert line.given < 100
    assert others() == []


@pytest.mark.parametrize("times", [1, 2, 4])
async def test_cancelled_however_often_it_commits_what_has_ended(times):
    """A cancellation, however often it comes, is raised after what had ended is committed."""
    line = Line(100, size=3)
    line.commit_open.clear()

    async def consume():
        async with aclosing(line.visits()) as visits:
            async for _ in visits:
                pass

    consuming = asyncio.create_task(consume())
    await line.rest()
    for _ in range(times):
        consuming.cancel()
        await line.rest()
    assert not consuming.done()
    line.commit_open.set()
    with pytest.raises(asyncio.CancelledError):
        await consuming
    assert line.source_closed
    assert line.committed == list(range(1, line.given + 1))
    assert others() == []


async def test_a_commit_that_fails_is_raised_and_stops_the_collecting():
    """The error of a commit is raised to the consumer; the source is closed, nothing more is committed."""
    line = Line(100, size=3)
    got = []

    async def consume():
        async for visit in line.visits():
            got.append(visit)
            if visit == 3:
                line.commit_error = OSError("full")

    with pytest.raises(OSError, match="full"):
        await consume()
    assert got == line.committed
    assert line.source_closed
    assert line.given <= len(got) + 9
    assert others() == []


async def test_a_commit_that_fails_at_the_end_is_raised():
    """The error of the very last commit is raised too."""
    line = Line(2, size=3)
    line.commit_error = OSError("full")
    with pytest.raises(OSError, match="full"):
        [visit async for visit in line.visits()]
    assert others() == []


async def test_a_commit_that_fails_after_the_consumer_left_is_told(caplog):
    """When nobody is left to raise it to, the error of a commit is logged."""
    line = Line(100, size=3)
    visits = line.visits()
    await anext(visits)
    line.commit_error = OSError("full")
    await visits.aclose()
    assert [record.getMessage() for record in caplog.records] == ["what had ended is not saved: full"]
    assert line.source_closed


async def test_what_ended_before_the_source_failed_is_committed():
    """When the source fails, what had ended comes out first, committed, and then the error."""
    line = Line(5, size=3)
    line.error = ValueError("worker lost")
    got = []

    async def consume():
        async for visit in line.visits():
            got.append(visit)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ValueError, match="worker lost"):
        await consume()
    assert got == line.committed == [1, 2, 3, 4, 5]
    assert others() == []


async def test_a_source_without_visits():
    """A source that gives nothing ends the line, and what was to be told of hosts is committed once more."""
    line = Line(0)
    assert [visit async for visit in line.visits()] == []
    assert line.commits == [[]]


class Paced(Line):
    """A line whose source, commits and consumer each take their own number of steps, and which ends in a given way."""

    def __init__(self, count, *, size, age, paces, flush_at, leave_at, end):
        super().__init__(count, size=size, age=age)
        self.paces = paces
        self.flush_at, self.leave_at, self.end = flush_at, leave_at, end
        self.error = ValueError("source") if end == "source-fails" else None
        self.got = []

    async def pause(self, which, number):
        """Take the steps that the pace asks for."""
        pace = self.paces[which]
        for _ in range(pace[number % len(pace)]):
            await asyncio.sleep(0)

    async def source(self):
        """Yield at the source's pace."""
        visits = super().source()
        try:
            async for visit in visits:
                await self.pause(0, visit)
                yield visit
        finally:
            await visits.aclose()

    async def commit(self, batch):
        """Commit at the commits' pace."""
        await self.pause(1, len(self.commits))
        await super().commit(batch)

    async def consume(self):
        """Take what comes, until it is time to leave; tell how the line ended."""
        try:
            async with aclosing(self.visits()) as visits:
                async for visit in visits:
                    self.got.append(visit)
                    if visit in self.flush_at:
                        self.writer.flush()
                    if visit == self.leave_at and self.end == "close":
                        return "closed"
                    self.strike(visit)
                    await self.pause(2, visit)
        except (asyncio.CancelledError, OSError, ValueError) as error:
            return type(error).__name__
        return "whole"

    def strike(self, visit):
        """Bring about the end, if this is the moment."""
        if visit == self.leave_at and self.end == "cancel":
            asyncio.current_task().cancel()
        if visit == self.leave_at and self.end == "commit-fails":
            self.commit_error = OSError("commit")


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(0, 30),
    size=st.integers(1, 6),
    age=st.sampled_from([0.0, 0.0001, NEVER]),
    paces=st.tuples(*[st.lists(st.integers(0, 6), min_size=1, max_size=12)] * 3),
    flush_at=st.sets(st.integers(0, 30), max_size=4),
    leave_at=st.none() | st.integers(0, 30),
    end=st.sampled_from(["close", "cancel", "commit-fails", "source-fails"]),
)
def test_nothing_is_lost_and_nothing_comes_twice(count, size, age, paces, flush_at, leave_at, end):
    """However the ends interleave, and whatever stops them, what came out was committed, in order, and each once."""

    async def run():
        line = Paced(count, size=size, age=age, paces=paces, flush_at=flush_at, leave_at=leave_at, end=end)
        ended = await line.consume()
        assert others() == []
        assert line.committed == list(range(1, len(line.committed) + 1))
        assert line.got == line.committed[: len(line.got)]
        if ended in {"whole", "ValueError"}:
            assert line.got == list(range(1, count + 1))
        if ended != "OSError":
            # What the source had begun to give when it was stopped has not ended.
            assert line.given - len(line.committed) in {0, 1}
        possible = {
            "close": "closed",
            "cancel": "CancelledError",
            "commit-fails": "OSError",
            "source-fails": "ValueError",
        }
        assert ended in {"whole", possible[end]}

    asyncio.run(run())
