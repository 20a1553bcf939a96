-- Recrawls: a crawl has rounds; a page that has changed leaves its former self in `version`.
ALTER TABLE crawl ADD COLUMN round INTEGER NOT NULL DEFAULT 1;
ALTER TABLE crawl ADD COLUMN round_at REAL;                          -- when a recrawl began, NULL in the first round
ALTER TABLE crawl ADD COLUMN new INTEGER NOT NULL DEFAULT 0;         -- what this round found of pages
ALTER TABLE crawl ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crawl ADD COLUMN unchanged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crawl ADD COLUMN vanished INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crawl ADD COLUMN listings INTEGER NOT NULL DEFAULT 0;    -- sitemaps and feeds among the fetched

ALTER TABLE url ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;    -- pages of its shape in a row that led to it
ALTER TABLE url ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;      -- 1: before the others of its host
ALTER TABLE url ADD COLUMN lastmod REAL;                             -- what a sitemap says

ALTER TABLE page ADD COLUMN canonical TEXT;
ALTER TABLE page ADD COLUMN replacements INTEGER NOT NULL DEFAULT 0; -- characters that could not be decoded
ALTER TABLE page ADD COLUMN first_at REAL;                           -- when it was first stored, if it has changed since
ALTER TABLE page ADD COLUMN checked_at REAL;                         -- when it was last found unchanged
ALTER TABLE page ADD COLUMN vanished_at REAL;                        -- when it was first found gone

ALTER TABLE host ADD COLUMN slowdown REAL NOT NULL DEFAULT 0;
ALTER TABLE host ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE host ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;

-- What a host's budgets and the bounds on traps have used up, by name.
CREATE TABLE spent (
    host_id INTEGER NOT NULL,
    name    TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (host_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE version (
    id            INTEGER PRIMARY KEY,
    url_id        INTEGER NOT NULL,
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
    fetched_at    REAL NOT NULL,
    replaced_at   REAL NOT NULL,
    zstd          BLOB,
    records       TEXT NOT NULL                                     -- JSON array
) STRICT;
CREATE INDEX version_by_url ON version (url_id);

DROP VIEW urls;
CREATE VIEW urls AS
SELECT host.crawl_id, url.url, host.host, url.kind, url.depth, url.state, url.reason, url.detail, url.attempts,
       CASE WHEN url.due_at > 0 THEN strftime('%Y-%m-%dT%H:%M:%fZ', url.due_at, 'unixepoch') END AS due_at,
       source.url AS found_on, url.redirect_to,
       strftime('%Y-%m-%dT%H:%M:%fZ', url.discovered_at, 'unixepoch') AS discovered_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', url.lastmod, 'unixepoch') AS lastmod
FROM url JOIN host ON host.id = url.host_id LEFT JOIN url AS source ON source.id = url.found_on;

DROP VIEW pages;
CREATE VIEW pages AS
SELECT page.crawl_id, url.url, page.status, page.content_type, page.charset, page.title, page.description, page.lang,
       page.text, page.bytes, page.content_hash, page.etag, page.last_modified, page.elapsed_ms, url.depth,
       strftime('%Y-%m-%dT%H:%M:%fZ', page.fetched_at, 'unixepoch') AS fetched_at, page.headings, page.canonical,
       page.replacements,
       strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(page.first_at, page.fetched_at), 'unixepoch') AS first_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(page.checked_at, page.fetched_at), 'unixepoch') AS checked_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', page.vanished_at, 'unixepoch') AS vanished_at
FROM page JOIN url ON url.id = page.url_id;

CREATE VIEW versions AS
SELECT version.crawl_id, url.url, version.status, version.content_type, version.charset, version.title,
       version.description, version.lang, version.text, version.bytes, version.content_hash, version.etag,
       version.last_modified, strftime('%Y-%m-%dT%H:%M:%fZ', version.fetched_at, 'unixepoch') AS fetched_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', version.replaced_at, 'unixepoch') AS replaced_at, version.records
FROM version JOIN url ON url.id = version.url_id;

DROP VIEW hosts;
CREATE VIEW hosts AS
SELECT crawl_id, host, crawl_delay,
       CASE WHEN next_at > 0 THEN strftime('%Y-%m-%dT%H:%M:%fZ', next_at, 'unixepoch') END AS next_at,
       breaker, failures, robots_status, slowdown, requests, retries
FROM host;
