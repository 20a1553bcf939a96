"""How a host is treated: its robots.txt, its pace, how it is asked again, when it is left alone. No I/O."""

from scraper.politeness.asking import asking
from scraper.politeness.breaker import Breaker, breaking
from scraper.politeness.budget import RetryBudget
from scraper.politeness.host import Host
from scraper.politeness.pacing import pacing
from scraper.politeness.retry import FAILURES, Failure, Fetch, backoff, failure_of, failures_table
from scraper.politeness.retrying import retrying
from scraper.politeness.robots import AGENT, Robots, judge_robots, product_token, read_robots, unrestricted
from scraper.politeness.slowing import Slowdown
from scraper.politeness.throttle import HostClock

__all__ = [
    "AGENT",
    "FAILURES",
    "Breaker",
    "Failure",
    "Fetch",
    "Host",
    "HostClock",
    "RetryBudget",
    "Robots",
    "Slowdown",
    "asking",
    "backoff",
    "breaking",
    "failure_of",
    "failures_table",
    "judge_robots",
    "pacing",
    "product_token",
    "read_robots",
    "retrying",
    "unrestricted",
]
