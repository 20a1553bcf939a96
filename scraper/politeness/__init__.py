"""How a host is treated: its robots.txt, its pace, how it is asked again, when it is left alone. No I/O."""

from scraper.politeness.asking import asking
from scraper.politeness.breaker import Breaker, breaking
from scraper.politeness.host import Host
from scraper.politeness.retry import Fetch, backoff, retrying
from scraper.politeness.robots import AGENT, Robots, judge_robots, product_token, read_robots, unrestricted
from scraper.politeness.throttle import HostClock

__all__ = [
    "AGENT",
    "Breaker",
    "Fetch",
    "Host",
    "HostClock",
    "Robots",
    "asking",
    "backoff",
    "breaking",
    "judge_robots",
    "product_token",
    "read_robots",
    "retrying",
    "unrestricted",
]
