"""A clock moved by hand, and by whoever sleeps on it."""

import pytest


class Clock:
    def __init__(self):
        self.now = 1000.0
        self.slept = []
        self.on_sleep = lambda: None

    def __call__(self):
        """The moment it is."""
        return self.now

    async def sleep(self, seconds):
        """Let the time pass at once."""
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def clock():
    """A clock that stands at 1000."""
    return Clock()
