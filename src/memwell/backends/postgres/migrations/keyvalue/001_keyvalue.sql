-- Counters and locks are written again and again: room on the page lets PostgreSQL change a row where it is.
CREATE TABLE memwell_keyvalue (
    key text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL,
    expires_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX memwell_keyvalue_expiry ON memwell_keyvalue (expires_at) WHERE expires_at IS NOT NULL;
