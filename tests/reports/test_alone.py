from __future__ import annotations

import threading
import time

import pytest

from scraper.errors import QueryError
from scraper.reports import Alone, run
from scraper.reports.watch import Watch

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "


def nothing(why):
    """Nothing is given up."""
    raise AssertionError(why)


def test_what_cannot_be_stopped_is_given_up(reader):
    """A query long over its deadline inside one instruction of SQLite is told to whoever ends the process (C17)."""
    told, main, given_up = [], threading.current_thread(), threading.Event()

    def give_up(why):
        told.append(why)
        given_up.set()

    def clock():
        if threading.current_thread() is not main:
            return 1000.0
        if main_looks.pop() == "inside":  # SQLite asks, and gets no answer before somebody else has seen enough
            assert given_up.wait(20)
        return 0.0

    main_looks = ["later"] * 1000 + ["inside", "enter", "exit", "enter"]
    with Alone(give_up) as alone:
        list(run(reader, ENDLESS + "SELECT x FROM n LIMIT 100", clock=clock, alone=alone).rows)
    assert set(told) == {"over 30 s: narrow it by a WHERE, or give it more time"}


def test_what_ends_in_time_is_left_alone(reader):
    """A query within its deadline is not given up, and its watch ends with it."""
    with Alone(nothing) as alone:
        assert list(run(reader, "SELECT 1", alone=alone).rows) == [(1,)]
    assert repr(alone).startswith("<Alone with <Watch outside")


def test_temporary_files_are_bounded(reader):
    """A sort that fills the disk with temporary files is stopped at their bound (C17)."""
    sql = ENDLESS + "SELECT x FROM n ORDER BY hex(zeroblob(10000)) || x"
    with Alone(nothing, most_spilled=2**20) as alone, pytest.raises(QueryError, match="over 1,048,576 bytes to sort"):
        list(run(reader, sql, alone=alone).rows)


def test_writing_the_result_is_work_too(reader):
    """In a process of its own a query's deadline counts the time that its result takes to be written (C17)."""
    with Alone(nothing) as alone:
        rows = run(reader, ENDLESS + "SELECT x FROM n", deadline=0.05, alone=alone).rows
        assert next(rows) == (1,)
        until = time.process_time() + 0.06
        while time.process_time() < until:
            pass
        with pytest.raises(QueryError, match=r"over 0\.05 s"):
            next(rows)


def test_memory_that_runs_out_is_told(reader):
    """Whatever writes the result and finds no memory ends in the one line that a query gets (C17)."""
    with pytest.raises(QueryError, match="too much memory"), Alone(nothing):
        raise MemoryError


@pytest.mark.parametrize(("moment", "stuck"), [(1.0, False), (10.05, False), (10.2, True)])
def test_a_query_is_stuck_only_inside_of_sqlite(moment, stuck):
    """A query is stuck a tenth of a second after its deadline, unless the time is its caller's."""
    now = 0.0
    watch = Watch(10.0, clock=lambda: now)
    with watch:
        now = moment
        assert watch.is_stuck() is stuck
    now = 100.0
    assert not watch.is_stuck()
