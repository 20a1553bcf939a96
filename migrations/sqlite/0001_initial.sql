-- Tables are singular and private; the plural views at the end are the public contract.
-- Moments are UTC seconds (REAL); the views show them as ISO 8601 text.

CREATE TABLE crawl (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'limited', 'finished')),
    seeds        TEXT NOT NULL,               -- JSON array: the first 100
    seed_count   INTEGER NOT NULL DEFAULT 0,
    digest       TEXT NOT NULL DEFAULT '',    -- of all seeds: are these the same?
    config       TEXT NOT NULL,               -- JSON
    started_at   REAL NOT NULL,
    finished_at  REAL,
    epoch        INTEGER NOT NULL DEFAULT 0,  -- grows with every run; a commit under an older one is refused
    owner        TEXT,                        -- JSON: who runs it, NULL if nobody does
    lease_until  REAL NOT NULL DEFAULT 0,
    discovered   INTEGER NOT NULL DEFAULT 0,  -- counted on its own, to be checked against the states
    records      INTEGER NOT NULL DEFAULT 0,
    beyond_depth INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX crawl_by_name ON crawl (name, id);

-- What a URL must match to be in scope: host names, domains or prefixes, from the seeds.
CREATE TABLE root (
    crawl_id INTEGER NOT NULL,
    root     TEXT NOT NULL,
    PRIMARY KEY (crawl_id, root)
) STRICT, WITHOUT ROWID;

CREATE TABLE host (
    id                INTEGER PRIMARY KEY,
    crawl_id          INTEGER NOT NULL,
    host              TEXT NOT NULL,
    next_at           REAL NOT NULL DEFAULT 0,
    crawl_delay       REAL,
    breaker           TEXT NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'down')),
    failures          INTEGER NOT NULL DEFAULT 0,
    openings          INTEGER NOT NULL DEFAULT 0,
    robots_status     TEXT,
    robots_text       TEXT,
    robots_expires_at REAL NOT NULL DEFAULT 0,
    queued            INTEGER NOT NULL DEFAULT 0,
    fetched           INTEGER NOT NULL DEFAULT 0,
    redirected        INTEGER NOT NULL DEFAULT 0,
    skipped           INTEGER NOT NULL DEFAULT 0,
    failed            INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX host_by_name ON host (crawl_id, host);
CREATE INDEX host_with_work ON host (crawl_id, next_at) WHERE queued > 0;

-- "Seen" is a row here. The unique index leads with the host, so that a page's links land close together.
CREATE TABLE url (
    id            INTEGER PRIMARY KEY,
    host_id       INTEGER NOT NULL,
    key           BLOB NOT NULL,
    url           TEXT NOT NULL,
    kind          TEXT NOT NULL DEFAULT 'page',
    depth         INTEGER NOT NULL,
    seed          INTEGER NOT NULL DEFAULT 0,
    state         TEXT NOT NULL,
    reason        TEXT,
    detail        TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    due_at        REAL NOT NULL DEFAULT 0,
    tried_at      REAL,
    found_on      INTEGER,                    -- url.id
    via           TEXT,                       -- JSON array: the redirects that led here
    redirect_to   TEXT,
    discovered_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX url_seen ON url (host_id, key);
-- A link marked nofollow on one page may be followed from another.
CREATE INDEX url_nofollow ON url (state, host_id) WHERE reason = 'nofollow';

-- Pending URLs only: one row in, one row out. due_at 0 is at once; within that by rank (depth; redirect targets first).
CREATE TABLE queue (
    host_id INTEGER NOT NULL,
    due_at  REAL NOT NULL,
    rank    INTEGER NOT NULL,
    url_id  INTEGER NOT NULL,
    PRIMARY KEY (host_id, due_at, rank, url_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE page (
    url_id        INTEGER PRIMARY KEY,
    crawl_id      INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    content_type  TEXT,
    charset       TEXT,
    title         TEXT,
    description   TEXT,
    lang          TEXT,
    text          TEXT NOT NULL,
    bytes         INTEGER NOT NULL,
    content_hash  TEXT NOT NULL,
    etag          TEXT,
    last_modified TEXT,
    elapsed_ms    REAL NOT NULL,
    fetched_at    REAL NOT NULL
) STRICT;
CREATE INDEX page_by_crawl ON page (crawl_id);

CREATE TABLE body (
    url_id INTEGER PRIMARY KEY,
    zstd   BLOB NOT NULL
) STRICT;

CREATE TABLE record (
    url_id   INTEGER NOT NULL,
    rule     TEXT NOT NULL,
    position INTEGER NOT NULL,
    data     TEXT NOT NULL,
    PRIMARY KEY (url_id, rule, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    source_id INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    target    TEXT NOT NULL,
    text      TEXT NOT NULL,
    rel       TEXT NOT NULL,
    PRIMARY KEY (source_id, position)
) STRICT, WITHOUT ROWID;

CREATE VIEW crawls AS
SELECT id, name, state, seeds, config,
       strftime('%Y-%m-%dT%H:%M:%fZ', started_at, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', finished_at, 'unixepoch') AS finished_at
FROM crawl;

CREATE VIEW urls AS
SELECT host.crawl_id, url.url, host.host, url.kind, url.depth, url.state, url.reason, url.detail, url.attempts,
       CASE WHEN url.due_at > 0 THEN strftime('%Y-%m-%dT%H:%M:%fZ', url.due_at, 'unixepoch') END AS due_at,
       source.url AS found_on, url.redirect_to,
       strftime('%Y-%m-%dT%H:%M:%fZ', url.discovered_at, 'unixepoch') AS discovered_at
FROM url JOIN host ON host.id = url.host_id LEFT JOIN url AS source ON source.id = url.found_on;

CREATE VIEW pages AS
SELECT page.crawl_id, url.url, page.status, page.content_type, page.charset, page.title, page.description, page.lang,
       page.text, page.bytes, page.content_hash, page.etag, page.last_modified, page.elapsed_ms, url.depth,
       strftime('%Y-%m-%dT%H:%M:%fZ', page.fetched_at, 'unixepoch') AS fetched_at
FROM page JOIN url ON url.id = page.url_id;

CREATE VIEW records AS
SELECT host.crawl_id, url.url, record.rule, record.position, record.data
FROM record JOIN url ON url.id = record.url_id JOIN host ON host.id = url.host_id;

CREATE VIEW links AS
SELECT host.crawl_id, url.url AS source, link.target, link.text, link.rel
FROM link JOIN url ON url.id = link.source_id JOIN host ON host.id = url.host_id;

CREATE VIEW hosts AS
SELECT crawl_id, host, crawl_delay,
       CASE WHEN next_at > 0 THEN strftime('%Y-%m-%dT%H:%M:%fZ', next_at, 'unixepoch') END AS next_at,
       breaker, failures, robots_status
FROM host;
