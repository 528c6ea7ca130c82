-- Which model's vectors searches use: of an older file, the one that has most.
ALTER TABLE models ADD COLUMN serving INTEGER NOT NULL DEFAULT 0;
UPDATE models SET serving = 1 WHERE number = (
    SELECT m.number FROM models m
    ORDER BY (SELECT count(*) FROM vectors v WHERE v.id >= m.number << 44 AND v.id < (m.number + 1) << 44) DESC,
        m.number
    LIMIT 1
);

-- Who may feed a follower now, and until when (microseconds since 1970-01-01 UTC).
ALTER TABLE followers ADD COLUMN holder TEXT;
ALTER TABLE followers ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;
