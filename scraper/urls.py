"""URLs as browsers see them: parse, join, canonical form, key, stripping, host, registrable domain.

Parsing and joining are WHATWG's (https://url.spec.whatwg.org/), by ada. The canonical form is the serialised URL
without its fragment and without user and password, and, of http and https, with the percent-encoding of path and query
normalised (RFC 3986, section 6.2.2): `%7ea%2fb` is `~a%2Fb`. It is what is fetched and stored, and two URLs are the
same page if and only if these are equal. What else differs stays apart, since servers may tell it apart: the order of
a query, an empty query, empty parameters, `+` and `%20`, `/a` and `/a/`, `/a//b` and `/a/b`, upper and lower case, an
escaped reserved character and a bare one (`%2F` and `/`, `%7C` and `|`), a stray `%` and `%25`, http and https, a host
with `www.` and without, and a host's final dot, which browsers keep and send.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import unquote

import ada_url

from scraper.errors import UrlError
from scraper.secrets import redacted

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

LONGEST = 8192  # characters; what servers and browsers take

# Parameters that say where a visitor came from, and nothing about the page: what `tracking` stands for.
_TRACKING = """
    utm_* mtm_* pk_campaign pk_kwd pk_keyword pk_source pk_medium pk_content pk_cid _ga _gl gclid gclsrc dclid gbraid
    wbraid gad_source gad_campaignid srsltid fbclid igsh igshid msclkid twclid ttclid li_fat_id ScCid epik rdt_cid yclid
    ysclid _openstat mc_cid mc_eid mkt_tok _hsenc _hsmi __hssc __hstc __hsfp hsCtaTracking _kx _branch_match_id vero_id
    vero_conv ml_subscriber ml_subscriber_hash oly_anon_id oly_enc_id rb_clickid wickedid s_kwcid ef_id
"""
TRACKING = tuple(_TRACKING.split())

_SPECIAL = ("http:", "https:", "ftp:", "ws:", "wss:", "file:")  # schemes whose hosts are domains
_AUTHENTICATED = re.compile(r"^([^:/?]+://)[^/?]*@")  # in a serialised URL
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986, section 2.3
_HEXADECIMAL = frozenset("0123456789ABCDEFabcdef")
_CUT_SHORT = _HEXADECIMAL | {""}  # what stands between a stray % and the next one that it could swallow
# An escape that is in lower case or of an unreserved character, told by what it is not: most URLs hold none.
_LOOSE = re.compile(r"%(?![0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF])[0-9A-Fa-f]{2}")
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+")  # as WHATWG writes every IPv4 address, and nothing else


def canonical(text: str, base: str | None = None) -> str:
    """Return the canonical URL of a text, joined to `base` if given; http, https or any other scheme.

    Raises UrlError for what no browser would take as a URL.
    """
    try:
        url = ada_url.join_url(base, text) if base is not None else ada_url.normalize_url(text)
    except ValueError:
        raise _refusal(text, "is not a URL") from None
    if "#" in url:
        url = url.partition("#")[0]
    if len(url) > LONGEST:
        raise _refusal(text, f"is longer than {LONGEST} characters")
    if "@" in url:
        url = _AUTHENTICATED.sub(r"\1", url)
    if "xn--" in url and not _has_valid_host(url):
        raise _refusal(text, "has a host name in invalid Punycode")
    if "%" in url and is_web(url) and _LOOSE.search(url):
        url = _settled(url)
    return url


def from_line(text: str) -> str:
    """Return the canonical URL of a typed seed or a list's line; only http and https.

    Raises UrlError, which tells why in words.
    """
    line = text.strip()
    if not line:
        raise UrlError(line, "is empty, not a URL")
    try:
        url = canonical(line)
    except UrlError as error:
        if error.why != "is not a URL":
            raise
        if line.lower().startswith(("http:", "https:")):
            raise _refusal(line, "is not a URL: its host name or port cannot be") from None
        raise _refusal(line, _hint(line) or error.why) from None
    if is_web(url):
        return url
    scheme = url.partition(":")[0]
    looks_like_host = "." in scheme or scheme == "localhost"  # `example.com:8080/` has the scheme `example.com`
    hint = _hint(line) if looks_like_host else None
    raise _refusal(line, hint or f"is a {scheme}: URL, only http and https can be crawled")


def is_web(url: str) -> bool:
    """Whether this canonical URL is http or https."""
    return url.startswith(("http://", "https://"))


def host(url: str) -> str:
    """The politeness key of a canonical URL: its origin (`https://example.com`); of another scheme, that scheme."""
    if not is_web(url):
        return url.partition(":")[0] + ":"
    end = url.find("/", 8)
    return url[:end] if end > 0 else url


def authority(host: str) -> str:
    """The host name of a politeness key, with its port if it is not the scheme's own; empty for other schemes."""
    return host.partition("//")[2]


def hostname(url: str) -> str:
    """The host name of a canonical URL, without its port; IPv6 in brackets; empty if it is not http or https."""
    name = authority(host(url))
    return name[: name.index("]") + 1] if name.startswith("[") else name.partition(":")[0]


def is_address(hostname: str) -> bool:
    """Whether this canonical host name is a literal address."""
    return hostname.startswith("[") or _IPV4.fullmatch(hostname) is not None


def registrable_domain(hostname: str) -> str:
    """The domain that somebody registered: `example.co.uk` for `a.b.example.co.uk`.

    By the Public Suffix List with its private part: `github.io` is a suffix, so that each of its sites is a domain of
    its own. An address, a single label, a suffix and a name with an empty label are returned as they are; else a final
    dot is not part of the domain.
    """
    name = hostname.removesuffix(".")
    if is_address(hostname) or not all(name.split(".")):
        return hostname
    return _suffixes().privatesuffix(name) or name


@dataclass(frozen=True, slots=True)
class Stripping:
    """What takes parameters out of the query of a canonical URL; `*` in a name stands for any characters.

    The word `tracking` stands for all of TRACKING. Names are compared percent-decoded and without regard to case. The
    other parameters keep their order and spelling; if none is left the `?` goes too, so that the result is canonical.
    """

    names: tuple[str, ...] = ()
    _plain: frozenset[str] = field(init=False, repr=False, compare=False)
    _wild: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        every = [one for name in self.names for one in (TRACKING if name == "tracking" else (name,))]
        wild = "|".join(_glob(name) for name in every if "*" in name)
        object.__setattr__(self, "_plain", frozenset(_folded(name) for name in every if "*" not in name))
        object.__setattr__(self, "_wild", re.compile(wild or "(?!)", re.DOTALL))

    def __call__(self, url: str) -> str:
        """Return a canonical URL without these parameters; one that is not http or https as it is."""
        if "?" not in url or not is_web(url):
            return url
        rest, _, query = url.partition("?")
        parameters = query.split("&")
        kept = [one for one in parameters if not one or not self._names(one)]
        if len(kept) == len(parameters):
            return url
        return f"{rest}?{'&'.join(kept)}" if any(kept) else rest

    def _names(self, parameter: str) -> bool:
        name = _folded(parameter.partition("=")[0])
        return name in self._plain or self._wild.fullmatch(name) is not None


def key(url: str) -> bytes:
    """The hash of a canonical URL that stands for "seen": blake2b, 16 bytes."""
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@cache
def _forms() -> dict[str, str]:
    """The normal form of each escape that is not in it, by its two digits: `~` for `7e`, `%2F` for `2f`."""
    every = ((one + two, chr(int(one + two, 16))) for one in _HEXADECIMAL for two in _HEXADECIMAL)
    forms = {digits: meant if meant in _UNRESERVED else f"%{digits.upper()}" for digits, meant in every}
    return {digits: form for digits, form in forms.items() if form != f"%{digits}"}


def _settled(url: str) -> str:
    """Bring each escape of a web URL into its normal form, none of them twice.

    A digit is not decoded right after a stray `%` (or that and another digit), which it would complete to an escape
    that nobody wrote: `%%32e` is not `%2e`. No dot segment comes of it: WHATWG has read `%2e` in one as a dot before.
    """
    forms = _forms()
    before, *rest = url.split("%")
    pieces = [before]
    for piece in rest:
        form = forms.get(piece[:2])
        if form is None or (form in _HEXADECIMAL and before in _CUT_SHORT):
            pieces.append(f"%{piece}")
        else:
            pieces.append(form + piece[2:])
        before = piece
    return "".join(pieces)


def _folded(name: str) -> str:
    return (unquote(name) if "%" in name else name).casefold()


def _glob(name: str) -> str:
    """The regular expression of a name with `*`; atomic groups keep it from trying again what matched: it is linear."""
    first, *middle, last = (re.escape(_folded(part)) for part in name.split("*"))
    return first + "".join(f"(?>.*?{part})" for part in middle if part) + ".*" + last


def _has_valid_host(url: str) -> bool:
    if not url.startswith(_SPECIAL):
        return True  # an opaque host, which WHATWG does not look into
    name = url.split("/", 3)[2].partition(":")[0]
    return all(_is_valid_punycode(label) for label in name.split(".") if label.startswith("xn--"))


@lru_cache(maxsize=1024)
def _is_valid_punycode(label: str) -> bool:
    """Does the label decode, and would a browser write what it stands for just so? ada alone lets bad ones through."""
    try:
        meant = label[4:].encode().decode("punycode")
        return not meant.isascii() and ada_url.normalize_url(f"http://{meant}/") == f"http://{label}/"
    except ValueError:
        return False


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # 60 ms, and only scope `domain` asks

    return PublicSuffixList(accept_unknown=True, only_icann=False)


def _hint(line: str) -> str | None:
    """What to tell about a line that would be a URL with a scheme in front; None if it would not."""
    for scheme in ("https", "http"):
        guess = f"{scheme}://{line.lstrip('/')}"
        try:
            name = hostname(canonical(guess))
        except UrlError:
            return None
        is_local = name == "localhost" or is_address(name)
        if is_local or "." not in name:
            if not is_local:
                return None
            if scheme == "https":
                continue  # what runs here seldom speaks TLS
        return f"has no http:// or https:// scheme: did you mean {redacted(guess)}?"
    return None


def _refusal(text: str, why: str) -> UrlError:
    """Make the error; its text is shown and logged, so that it is short and without secrets."""
    return UrlError(redacted(text)[:200], why)
