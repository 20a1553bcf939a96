"""A network that counts who is reached: one public web server, and canaries at every other address there is.

Everywhere else connections are led to loopback, or noted and refused, as they are begun. In a network namespace (where
`test_namespace.py` runs these tests again) every address is the machine's own: canaries listen, and really answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sqlite3
from html import escape
from ipaddress import ip_address

import aiohttp
import pytest
from aiohttp import web

import scraper
from scraper import urls
from scraper.errors import FetchError
from scraper.seeds import Seeds

IN_NAMESPACE = os.environ.get("SCRAPER_TEST_NAMESPACE") == "1"
PUBLIC = ("93.184.216.34", "2606:4700:4700::1111")
PORTS = (80, 443, 1080, 3128, 6379, 8000)

# Where each leads is private: loopback, the machine itself, its neighbours, the cloud's services, nowhere.
_WRITTEN = """
    127.0.0.1 127.0.0.1. 127.0.0.1:8000 127.0.0.1:80 127.000.000.001 127.255.255.254 127.1 127.0.1 127.65535
    2130706433 2130706433. 017700000001 0x7f000001 0X7F000001 0x7F.1 0x7f.0.1 0177.1 0177.0.0.1 0177.0.0x1 00177.0.0.1
    0x7f.0x0.0x0.0x1 0x000000007f.1 0x7f.0.0.01 127.0x000001 0 0.0.0.0 00 0x0 0x 0.1 0.0.0.0:6379 0.255.255.255
    10.0.0.1 10.1 167772161 0xa.1 012.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 172.16.0.1 172.31.255.254
    192.168.0.1 192.168.1 192.168.257 3232235521 0xc0a80001 0300.0250.0.1 192.0.0.1 192.0.0.8 192.0.2.1 192.88.99.1
    198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 169.254.169.254 169.254.43518 2852039166 0xA9FEA9FE
    0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe 168.63.129.16 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    4294967295 0xffffffff
    %31%32%37.0.0.1 127%2e0%2e0%2e1 %30x7f.1 %6cocalhost local%68ost. loc%41lhost 127。0。0。1 127．0．0．1 127｡0｡0｡1
    １２７.0.0.1 ０ｘ7f.1 ①②⑦.0.0.1 ①⓪.⓪.⓪.① １６９.２５４.１６９.２５４ ⑯⑨.254.169.254 𝟏𝟐𝟕.0.0.1
    127.0.0.\N{SOFT HYPHEN}1
    ⓛⓞⓒⓐⓛⓗⓞⓢⓣ ｌｏｃａｌｈｏｓｔ lo\N{ZERO WIDTH SPACE}calhost loca\N{WORD JOINER}lhost localhoſt
    localhost LocalHost LOCALHOST localhost. localhost:6379 a.localhost a.b.LOCALHOST. localhost%2E
    localhost.localdomain ip6-localhost
    ok@127.0.0.1 ok:pw@127.0.0.1 example.com@127.0.0.1 www.example:80@169.254.169.254 www.example%2F@127.0.0.1
    www.example@@127.0.0.1 :@10.0.0.1 %40@127.0.0.1
    [::] [::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::1]:8000 [0::1] [::0:1] [::2]
    [::ffff:127.0.0.1] [::FFFF:7F00:1] [0:0:0:0:0:ffff:127.0.0.1] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe]
    [::ffff:0:127.0.0.1] [::ffff:0:7f00:1] [::127.0.0.1] [::7f00:1] [::ffff:10.0.0.1] [::ffff:0.0.0.0]
    [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::169.254.169.254] [64:ff9b::a00:1] [64:ff9b:1::7f00:1]
    [64:FF9B:1:FFFF::10.0.0.1] [2002:7f00:1::] [2002:7f00:0001::1] [2002:a9fe:a9fe::] [2001::1] [2001:0:7f00:1::]
    [2001:0000:4136:e378:8000:63bf:80ff:fffe] [2001:10::1] [2001:20::1] [2001:db8::1] [3fff::1] [5f00::1] [100::1]
    [100:0:0:1::1] [fc00::1] [fd00:ec2::254] [fd12:3456:789a::1] [fe80::1] [febf::1] [fec0::1] [ff02::1] [ff0e::1]
    [FD00:EC2::254] [4000::1] [1fff::1]
"""
NAMES = {  # what a name server says, in the attacker's hand
    "inside.example": ["10.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "six.example": ["fd00:ec2::254"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "scoped.example": ["fe80::1%1"],
    "many.example": ["127.0.0.1", "::1", "192.168.0.1", "169.254.169.254"],
    "inner.example": ["127.0.0.1"],
    "xn--nner-upa.example": ["127.0.0.1"],
    "inside.example.": ["10.0.0.1"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "a.localhost": ["127.0.0.1"],
    "a.b.localhost.": ["127.0.0.1"],
    "localhost.localdomain": ["127.0.0.1"],
    "ip6-localhost": ["::1"],
    "typed.example": ["127.0.0.1"],
}
SPELLINGS = [
    *_WRITTEN.split(),
    *(name for name in NAMES if "example" in name),
    "INSIDE.example",
    "inside。example",
    "ínner.example",
]
PARTLY = {"mixed.example": ["10.0.0.1", "::1", PUBLIC[0], "127.0.0.1"], "open6.example": [PUBLIC[1]]}
# What stands around an address where a base fills in the rest, or a parser forgives.
AROUND = [
    "//{}/{}", "\\\\{}\\{}", "/\\{}/{}", "\\/{}/{}", "///{}/{}", "////{}/{}", "HTTP://{}/{}", "hTTp:\\\\{}\\{}",
    "http:///{}/{}", "http:\\/{}/{}", " \t http://{}/{} \n", "ht\ntp://{}/{}", "http://{}\t/{}", "//{}:80/{}",
    "//u@{}/{}", "https:{}/{}", "https:/{}/{}", "https://{}/{}", "https:\\{}/{}",
]  # fmt: skip


class Names(aiohttp.abc.AbstractResolver):
    """A resolver by table; a name below `example` that is not in it is the public server."""

    def __init__(self, **_):
        self.table = NAMES | PARTLY
        self.default = PUBLIC[:1]

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        """Return what the table says; a function in it is asked each time."""
        host = host.lower()
        found = self.table.get(host)
        if found is None and host.rstrip(".").endswith(".example"):
            found = self.default
        if found is None and urls.is_address(host):
            found = [host]
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in (found() if callable(found) else found)
        ]

    async def close(self):
        """Nothing to close."""


class Network:
    """One public server of many names, `reached` places that nobody may reach, `public` connections that may be."""

    def __init__(self):
        self.names = Names()
        self.pages = {}
        self.asked = []  # (host, path) at the public server
        self.reached = []  # (address, port)
        self.open = set()  # (address, port) that shall answer as the public server does
        self.public = 0  # connections to the public server
        self.is_real = IN_NAMESPACE
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        self._listening = []
        self._taken = set()
        self._ports = {}

    def page(self, url, body="", *, status=200, kind="text/html; charset=utf-8", **headers):
        """Serve this at a URL `host/path`; `_` in the name of a header stands for `-`."""
        host, slash, path = url.partition("/")
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.pages[host, slash + path] = status, [("Content-Type", kind), *sent], body

    async def start(self):
        """Listen: on loopback, and at every address of a namespace."""
        await self._runner.setup()
        for host in ("127.0.0.1", "::1"):
            await web.TCPSite(self._runner, host, 0).start()
        self._ports = {":" in address: port for address, port, *_ in self._runner.addresses}
        for host in ("0.0.0.0", "::") if self.is_real else ():
            self._listening += [await asyncio.start_server(self._take, host, port) for port in PORTS]

    async def stop(self):
        """Listen no more."""
        for server in self._listening:
            server.close()
        await asyncio.gather(*self._taken)
        await self._runner.cleanup()

    def leads(self, address, port):
        """Return where a connection shall really go; raises ConnectionRefusedError at a canary, which notes it."""
        is_six = ":" in address
        address = str(getattr(ip_address(address.partition("%")[0]), "ipv4_mapped", None) or address)
        if (address in PUBLIC and port == 80) or (address, port) in self.open:
            self.public += 1
            return ("::1" if is_six else "127.0.0.1", self._ports[is_six])
        self.reached.append((address, port))
        raise ConnectionRefusedError(errno.ECONNREFUSED, "a canary")

    async def _take(self, reader, writer):
        """Take a connection to any address of the namespace, and lead it on or close it."""
        self._taken.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(*self.leads(*writer.get_extra_info("sockname")[:2]))
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        writer.close()

    async def _serve(self, request):
        host, path = request.headers.get("Host", "").lower(), request.raw_path
        self.asked.append((host, path))
        status, headers, body = self.pages.get((host.rstrip("."), path), (404, [], ""))
        return web.Response(status=status, headers=headers, body=body.encode())


async def _carry(source, sink):
    with contextlib.suppress(ConnectionError):
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
    sink.close()


HUB = "http://www.example"
FAST = {"delay": 0.0, "per_host": 32, "parse_workers": 0, "retry_attempts": 1, "store_batch_seconds": 0.05}
DEADLINE = 50.0  # seconds, for one crawl
RULES = """
[[rule]]
name = "led"
match = "http://www.example/rule"
fields.title = "title"
follow.select = "b::attr(data-to)"
"""
ACCESS = """
[[origin]]
url = "http://127.0.0.1"
bearer = "x"
[[origin]]
url = "http://localhost:6379"
basic = { user = "me", password = "x" }
[[origin]]
url = "http://metadata.example"
headers = { Metadata-Flavor = "Google" }
"""
COOKIES = "# Netscape HTTP Cookie File\n" + "".join(
    f"{host}\tFALSE\t/\tFALSE\t4102444800\tsession\tx\n" for host in ("127.0.0.1", "169.254.169.254", "inside.example")
)
CODES = (301, 302, 303, 307, 308)
MAPS = ("maps1.example", "maps2.example")
# What a browser would load with a page, and a crawl does not.
SHUT = """
<img src="{}" srcset="{} 2x"><script src="{}"></script><form action="{}"></form><object data="{}"></object>
<video src="{}" poster="{}"></video><embed src="{}"><link rel=stylesheet href="{}"><link rel=preload href="{}">
<link rel=icon href="{}"><link rel=prefetch href="{}"><link rel=dns-prefetch href="{}"><a ping="{}"></a>
<link rel=pingback href="{}"><link rel=manifest href="{}"><use href="{}"></use><button formaction="{}"></button>
"""


class Attack:
    """A site whose every page leads where it should not, in every way that a crawl can be led.

    A reference is one of the `forms`, formatted with the way and its number. `meant` are the URLs that each way names.
    Ways that take a page for each are tried with every `share`-th.
    """

    def __init__(self, network, forms, share):
        self.network = network
        self.forms = list(enumerate(forms))
        self.share = share
        self.meant = {}
        self.redirecting = set()  # URLs of hosts whose robots.txt is a redirect
        self.hub = []  # what the first page links to

    def targets(self, way, *, each=False, shown=True):
        """One reference for each form; with `each` for a part of them, with `shown` those that a line can hold."""
        for number, form in self.forms[len(way) % self.share :: self.share] if each else self.forms:
            reference = form.format(f"{way}/{number}")
            reference = reference.strip() if shown else reference
            if not shown or reference.isprintable():
                self.meant.setdefault(way, set()).add(urls.canonical(reference, f"{HUB}/"))
                yield number, reference

    def page(self, path, body="", **options):
        """Serve a page that the first one leads to."""
        self.network.page(f"www.example{path}", f"<title>x</title>{body}", **options)
        self.hub.append(path)

    def by_markup(self):
        """Ways that stand in one page, for all spellings."""
        marks = {
            "link": '<a href="{}">x</a>',
            "area": '<map><area href="{}"></map>',
            "iframe": '<iframe src="{}"></iframe>',
            "canonical": '<link rel=canonical href="{}">',
            "hreflang": '<link rel=alternate hreflang=de href="{}">',
            "next": '<link rel=next href="{}">',
            "meta": '<meta http-equiv=refresh content="0; url={}">',
            "rule": '<b data-to="{}">x</b>',
            "shut": SHUT,
        }
        for way, mark in marks.items():
            self.page(f"/{way}", "".join(mark.replace("{}", escape(to)) for _, to in self.targets(way, shown=False)))

    def by_base(self):
        """The base of a page, which makes of each link of it one that leads inside."""
        for number, to in self.targets("base", each=True):
            self.page(f"/base/{number}", f'<base href="{escape(to)}"><a href="{number}">x</a>')

    def by_header(self):
        """Redirects by each status, the headers Refresh and Link."""
        for number, to in self.targets("redirect", each=True):
            for code in CODES if self.share == 1 else (CODES[number % 5],):
                self.page(f"/redirect/{code}/{number}", status=code, Location=to)
        for number, to in self.targets("refresh", each=True):
            self.page(f"/refresh/{number}", Refresh=f"0; url={to}")
        for rel in ("next", "canonical", "alternate"):
            links = [f'<{to}>; rel="{rel}"' for _, to in self.targets(f"header-{rel}")]
            self.page(f"/header-{rel}", Link=", ".join(links))

    def by_listing(self):
        """Sitemaps, indexes of them, feeds; each of these is a seed too."""
        space = "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'"
        self.listing("sitemap", f"<urlset {space}>", "<url><loc>{}</loc></url>", "</urlset>")
        self.listing("index", f"<sitemapindex {space}>", "<sitemap><loc>{}</loc></sitemap>", "</sitemapindex>")
        self.listing("rss", "<rss version='2.0'><channel>", "<item><link>{}</link></item>", "</channel></rss>")
        atom = "<feed xmlns='http://www.w3.org/2005/Atom'>"
        self.listing("atom", atom, "<entry><link href='{}'/></entry>", "</feed>")
        lines = [to for _, to in self.targets("text")]
        self.meant["text"] = {urls.canonical(to) for to in lines if to.startswith("http://")}  # others are no entries
        self.network.page("www.example/text", "\n".join([HUB, *lines]), kind="text/plain")
        feeds = '<link rel=alternate type="application/{0}+xml" href="/{0}">'
        self.page("/feeds", feeds.format("rss") + feeds.format("atom"))

    def listing(self, way, head, entry, foot):
        """Serve an XML file of all spellings."""
        body = head + "".join(entry.replace("{}", escape(to)) for _, to in self.targets(way)) + foot
        self.network.page(f"www.example/{way}", body, kind="application/xml")

    def by_robots(self):
        """Sitemaps that robots.txt names, at most 100 a host, and a robots.txt that is elsewhere."""
        lines = [f"Sitemap: {to}\n" for _, to in self.targets("robots-sitemap")]
        for number, host in enumerate(MAPS):
            text = "".join(lines[number * 90 : number * 90 + 90])
            self.network.page(f"{host}/robots.txt", text, kind="text/plain")
        for number, to in self.targets("robots-redirect", each=True):
            host = f"robots{number}.example"
            self.network.page(f"{host}/robots.txt", status=CODES[number % 5], Location=to)
            self.network.page(f"{host}/", "never asked")
            self.hub.append(f"http://{host}/")
            self.redirecting.add(f"http://{host}/")
        del self.meant["robots-redirect"]  # asked for another host's sake, they are no URLs of the crawl

    def seeds(self, folder):
        """The first page, and a list of all spellings."""
        listed = folder / "seeds.txt"
        lines = [to for _, to in self.targets("seed")]
        self.meant["seed"] = {urls.canonical(to) for to in lines if to[0] not in "/\\"}  # a list has no base
        listed.write_text("\n".join(lines), encoding="utf-8")
        self.network.page("www.example/", "".join(f'<a href="{path}">x</a>' for path in self.hub))
        typed = [f"{HUB}/{path}" for path in ("", "sitemap", "index", "rss", "atom", "text")]
        return Seeds([*typed, *(f"http://{host}/" for host in MAPS)], listed)


@pytest.fixture
async def network(monkeypatch):
    """The network, started; every fetcher of the test lives in it."""
    network = Network()
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda **_: network.names)
    await network.start()
    if not IN_NAMESPACE:
        loop = asyncio.get_running_loop()
        connect = type(loop).sock_connect

        async def led(self, sock, address):
            await connect(self, sock, network.leads(*address[:2]))

        monkeypatch.setattr(type(loop), "sock_connect", led)
    try:
        yield network
    finally:
        monkeypatch.undo()
        await network.stop()


@pytest.fixture
def attempt():
    """Await it with a fetcher and a URL for the status of the answer, or the reason of the failure."""

    async def attempt(fetcher, url):
        try:
            return (await fetcher.fetch(url)).status
        except FetchError as error:
            return error.reason

    return attempt


@pytest.fixture(scope="session")
def spellings():
    """References to private places, by the way they are written: texts to be formatted with a path."""
    return tuple(f"http://{authority.replace('{', '{{')}/{{}}" for authority in SPELLINGS)


@pytest.fixture(scope="session")
def around():
    """References to private places, by what stands around the address: texts to be formatted with a path."""
    addresses = ("127.0.0.1", "[::1]", "169.254.169.254")
    return tuple(form.replace("{}", address, 1) for form in AROUND for address in addresses)


@pytest.fixture
def ends(tmp_path):
    """Ask a store for what became of each URL: (state, reason)."""

    def ends(db=tmp_path / "crawl.db"):
        with contextlib.closing(sqlite3.connect(db)) as connection:
            rows = connection.execute("SELECT url, state, reason FROM urls").fetchall()
        return {url: (state, reason) for url, state, reason in rows}

    return ends


@pytest.fixture
def files(tmp_path):
    """Rules, and who we are to whom: a user has written about private places, and has not opened them."""
    for name, text in (("rules.toml", RULES), ("access.toml", ACCESS), ("cookies.txt", COOKIES)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.fixture
def attack(network, files, monkeypatch):
    """Await it with references to be formatted: every way, carried out; returns the attack when the crawl is over."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://10.9.9.9:3128")
        monkeypatch.setenv(name.upper(), "http://10.9.9.9:3128")

    async def carried_out(forms, *, robots=True, share=1, **settings):
        attack = Attack(network, forms, 1 if network.is_real else share)
        for way in (attack.by_markup, attack.by_base, attack.by_header, attack.by_listing):
            way()
        if robots:
            attack.by_robots()
        run = scraper.crawl(
            attack.seeds(files), store=files / "crawl.db", depth=3, scope="any", traps=False,
            rules=(str(files / "rules.toml"),), access=str(files / "access.toml"), cookies=True,
            cookie_file=str(files / "cookies.txt"), robots=robots, sitemaps=robots, **FAST | settings,
        )  # fmt: skip
        async with asyncio.timeout(DEADLINE):
            async for _ in run:
                pass
        assert run.tally.holds
        return attack

    return carried_out
