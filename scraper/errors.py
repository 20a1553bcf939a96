"""What goes wrong, by name. The command line prints these messages and never their traceback.

ScraperError                  raised on purpose                                                               exit 1
├─ ConfigError                a setting or a way of calling that cannot be meant; names file, line, key       exit 2
├─ UrlError                   not a URL we can crawl: a bad line in --from, a bad href
├─ FetchError                 url, reason, detail: one attempt without a usable answer; becomes a Visit
│  ├─ TransientFetchError     no answer, cut short, 408, 425, 429, 5xx (`retry_after`): asking again may help
│  └─ PermanentFetchError     tls, protocol, too-large, bad-encoding, private-address: it would not
├─ RetryLater                 url, until, attempts: the wait is too long for a slot; the frontier takes the URL back
├─ BreakerOpen                host, until: not an attempt; the frontier takes the URL back
├─ ParseError                 url, detail: page, rule or extractor failed; recorded on the Visit, the crawl goes on
├─ ParseInterrupted           the workers were stopped; no page's fault, the URL is asked again
├─ StoppedEarly               stopped while the seeds were read: nothing was stored
├─ QueryError                 the SQL is refused, or ran over a limit
└─ StoreError                 cause kept with `from`
   ├─ MigrationError          the database could not be brought to this version
   ├─ SchemaTooNew            a newer program made the database
   ├─ NotAStore               the file is something else
   ├─ ForeignSchema           the file is a store in which a stranger has declared what would run
   ├─ StoreDamaged            path, what: the file is not as SQLite left it
   ├─ StoreForbidden          the system does not let this user make, read or write the file
   ├─ DiskFailed              the disk did not do what it was told; who has the file open lets go of it
   ├─ CrawlNotFound           no crawl of that name or number
   ├─ StoreBusy               another process runs this crawl
   └─ LeaseLost               another process took this crawl over; nothing of ours is written any more

Each class hands all its arguments to `Exception.__init__`, so that it survives pickling; `__str__` makes the text.
"""

from __future__ import annotations

from scraper.model import Reason


class ScraperError(Exception):
    """The root of everything raised on purpose."""

    exit_code = 1


class ConfigError(ScraperError):
    """A setting, an option or an input file that cannot be meant."""

    exit_code = 2


class UrlError(ScraperError):
    """A text that is not a URL we can crawl."""

    exit_code = 2

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text, why)
        self.text = text
        self.why = why

    def __str__(self) -> str:
        return f"{self.text!r} {self.why}"


class FetchError(ScraperError):
    """A fetch without a usable answer; `attempts` is what the URL has been charged, this one included.

    Raised for one attempt; who tries again counts and sets `attempts` (it survives pickling like any attribute).
    """

    attempts: int = 1

    def __init__(self, url: str, reason: Reason, detail: str, retry_after: float | None = None) -> None:
        super().__init__(url, reason, detail, retry_after)
        self.url = url
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}: {self.detail}"

    @property
    def status(self) -> int | None:
        """The HTTP status that was the answer, with which `detail` begins; None if there was none."""
        if self.reason is not Reason.HTTP_4XX and self.reason is not Reason.HTTP_5XX:
            return None
        text = self.detail[:3]
        return int(text) if len(text) == 3 and text.isascii() and text.isdigit() else None


class TransientFetchError(FetchError):
    """Asking again may help; `retry_after` is what the server demanded, in seconds from now."""


class PermanentFetchError(FetchError):
    """Asking again would bring the same."""


class RetryLater(ScraperError):
    """Ask again, but not in this slot: `until` is UTC seconds, `attempts` what was charged, `cause` the failure."""

    def __init__(self, url: str, until: float, attempts: int, cause: FetchError) -> None:
        super().__init__(url, until, attempts, cause)
        self.url = url
        self.until = until
        self.attempts = attempts
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.url}: again after {self.cause.reason}"


class BreakerOpen(ScraperError):
    """The host is not to be asked before `until` (UTC seconds)."""

    def __init__(self, host: str, until: float) -> None:
        super().__init__(host, until)
        self.host = host
        self.until = until

    def __str__(self) -> str:
        return f"{self.host}: circuit breaker open"


class ParseError(ScraperError):
    """A page, rule or extractor that failed; `detail` begins with which."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__(url, detail)
        self.url = url
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.url}: {self.detail}"


class ParseInterrupted(ScraperError):
    """The workers were stopped under a parse job; it is no page's fault, and the URL is asked again."""


class StoppedEarly(ScraperError):
    """The crawl was stopped before it had begun; nothing was stored."""


class QueryError(ScraperError):
    """SQL that is refused, wrong, or ran over a limit."""

    exit_code = 2


class StoreError(ScraperError):
    """The database could not do what was asked."""


class MigrationError(StoreError):
    """A migration failed; the database is as it was before."""


class SchemaTooNew(StoreError):
    """The database was written by a newer version of this program."""

    exit_code = 2


class NotAStore(StoreError):
    """The path is no database of this program."""

    exit_code = 2


class ForeignSchema(StoreError):
    """The database is a store, but declares triggers, views or columns that are not ours."""

    exit_code = 2


class StoreDamaged(StoreError):
    """The file is not as SQLite left it, or holds what no version wrote."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(path, what)
        self.path = path
        self.what = what

    def __str__(self) -> str:
        return (
            f"{self.path} is damaged ({self.what}): look at it with `scraper db check`, and get out what is whole with "
            "`scraper db salvage`"
        )


class StoreForbidden(StoreError):
    """The system does not let this user make, read or write the file."""

    exit_code = 2


class DiskFailed(StoreError):
    """The disk under the database failed; what it holds is seen when it is opened anew."""


class CrawlNotFound(StoreError):
    """No crawl of that name or number in the store."""

    exit_code = 2


class StoreBusy(StoreError):
    """Another process runs this crawl, or holds the database."""

    exit_code = 2


class LeaseLost(StoreError):
    """Another process took the crawl over; what was not committed is fetched by it."""
