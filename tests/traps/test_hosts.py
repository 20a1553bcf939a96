"""Endless host names: so many of one registrable domain, and the first stay."""

from scraper.traps import Hosts, hosts


def test_a_domain_has_only_so_many_hosts():
    """Host names beyond the limit are refused; those admitted stay so, and other domains are not touched."""
    crawl = Hosts(limit=10)
    verdicts = [crawl.verdict(f"https://h{number}.example.co.uk") for number in range(12)]
    assert verdicts[:10] == [None] * 10
    assert verdicts[10] == verdicts[11] == ("trap", "more than 10 hosts of example.co.uk")
    assert crawl.verdict("https://h3.example.co.uk") is None
    assert crawl.verdict("http://h4.example.co.uk") is None
    assert crawl.verdict("https://h3.other.co.uk") is None
    assert crawl.verdict("http://[::1]:8080") is None
    assert repr(crawl) == "Hosts(10, 12 of 3 domains)"


def test_sites_under_a_public_suffix_are_domains_of_their_own():
    """A host whose users have a subdomain each is no trap."""
    crawl = Hosts(limit=2)
    assert [crawl.verdict(f"https://user{number}.github.io") for number in range(9)] == [None] * 9


def test_a_resumed_crawl_knows_its_hosts():
    """Hosts that the store knows count, and are asked on."""
    crawl = Hosts(limit=2, known=["https://a.example.com", "https://b.example.com"])
    assert crawl.verdict("https://a.example.com") is None
    assert crawl.verdict("https://c.example.com").reason == "trap"


def test_remembered_hosts_are_bounded(monkeypatch):
    """When too many hosts are held, small domains are forgotten; one that grows without end is not."""
    monkeypatch.setattr(hosts, "REMEMBERED", 100)
    crawl = Hosts(limit=50)
    refused = 0
    for number in range(500):
        assert crawl.verdict(f"https://d{number}.example") is None
        refused += crawl.verdict(f"https://h{number}.endless.example") is not None
    assert refused == 450
    assert crawl._count <= 100
