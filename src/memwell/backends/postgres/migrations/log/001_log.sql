-- A stream stays when its entries go: `last` is why its positions never come again.
CREATE TABLE memwell_log_streams (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    name text COLLATE "C" PRIMARY KEY,
    last bigint NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE memwell_log_entries (
    stream bigint NOT NULL,
    position bigint NOT NULL,
    at timestamptz NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (stream, position, at)
) PARTITION BY RANGE (at);
CREATE TABLE memwell_log_entries_default PARTITION OF memwell_log_entries DEFAULT;

-- This month and the next three; `memwell db maintain` goes on from there.
DO $$
DECLARE
    month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
BEGIN
    FOR _ IN 1..4 LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF memwell_log_entries FOR VALUES FROM (%L) TO (%L)',
            'memwell_log_entries_' || to_char(month, 'YYYY_MM'),
            month AT TIME ZONE 'UTC',
            (month + interval '1 month') AT TIME ZONE 'UTC'
        );
        month := month + interval '1 month';
    END LOOP;
END
$$;
