-- Rows. Times are microseconds since 1970-01-01 UTC. Wide columns stand last, so that a scan of the narrow ones
-- need not follow their overflow pages. `lexemes` and `signals` are projections of `content`, written with it.
CREATE TABLE records (
    key INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT,
    agent_id TEXT,
    session_id TEXT,
    namespace TEXT,
    kind TEXT NOT NULL,
    category TEXT,
    tier TEXT,
    source TEXT,
    importance REAL NOT NULL,
    version INTEGER NOT NULL,
    reinforced INTEGER NOT NULL,
    embedded INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    tags TEXT NOT NULL,
    signals TEXT NOT NULL,
    lexemes TEXT NOT NULL,
    metadata TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE UNIQUE INDEX records_id ON records (tenant_id, id);
CREATE INDEX records_owner ON records (tenant_id, user_id, created_at);
CREATE INDEX records_digest ON records (digest);
CREATE INDEX records_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE models (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    dimension INTEGER NOT NULL
);

-- id = model number << 44 | record key: one B-tree, grouped by model, appended in insertion order.
-- data holds one float32 row a chunk, little endian; spans the chunks' character ranges as JSON, NULL for one chunk.
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY,
    spans TEXT,
    data BLOB NOT NULL
);

CREATE TABLE history (
    key INTEGER NOT NULL,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (key, version)
) WITHOUT ROWID;

CREATE TABLE links (
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    kind TEXT NOT NULL,
    strength REAL NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (source, target, kind)
) WITHOUT ROWID;
CREATE INDEX links_target ON links (target);

CREATE TABLE access (
    key INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL
);

-- The change sequence: caches of every process and vector indexes follow it. For a put only seq, kind and key are set;
-- a delete keeps what is needed to find the record elsewhere, and nothing of its content.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    key INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    tenant_id TEXT,
    user_id TEXT,
    id TEXT
);

-- Who follows the change sequence (vector indexes), and how far each has come; entries after the least are kept.
CREATE TABLE followers (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;
