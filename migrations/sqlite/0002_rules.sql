-- What rules and extractors came to: how many pages each took, and on how many of them it found nothing.
CREATE TABLE rule (
    crawl_id INTEGER NOT NULL,
    rule     TEXT NOT NULL,
    pages    INTEGER NOT NULL DEFAULT 0,
    empty    INTEGER NOT NULL DEFAULT 0,
    records  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (crawl_id, rule)
) STRICT, WITHOUT ROWID;

-- New rules being run over the stored pages of a crawl; the row goes when that is done.
CREATE TABLE extraction (
    crawl_id INTEGER PRIMARY KEY,
    digest   TEXT NOT NULL,               -- of the rules: are these the same?
    done_to  INTEGER NOT NULL DEFAULT 0,  -- page.url_id
    pages    INTEGER NOT NULL DEFAULT 0,
    failed   INTEGER NOT NULL DEFAULT 0
) STRICT;

ALTER TABLE page ADD COLUMN headings TEXT NOT NULL DEFAULT '[]';   -- JSON array of [level, text]

ALTER TABLE page ADD COLUMN headers TEXT;                         -- JSON array of [name, value], without cookies
ALTER TABLE crawl ADD COLUMN makers TEXT NOT NULL DEFAULT '';     -- digest of the rules and extractors of its last run

DROP VIEW pages;
CREATE VIEW pages AS
SELECT page.crawl_id, url.url, page.status, page.content_type, page.charset, page.title, page.description, page.lang,
       page.text, page.bytes, page.content_hash, page.etag, page.last_modified, page.elapsed_ms, url.depth,
       strftime('%Y-%m-%dT%H:%M:%fZ', page.fetched_at, 'unixepoch') AS fetched_at, page.headings
FROM page JOIN url ON url.id = page.url_id;

CREATE VIEW rules AS
SELECT crawl_id, rule, pages, empty, records FROM rule;

DROP INDEX url_nofollow;  -- nothing looks for these rows any more
