-- Monthly partitions of audit_log and memory_events, and their maintenance. Run after 002; can be run again at any time.
--
-- Months are those of UTC. Rows of a month without a partition are in the default partition, and move when theirs is
-- created. With pg_cron, `maintain_partitions` runs on the first of each month; otherwise call it from a scheduler.

CREATE OR REPLACE FUNCTION create_monthly_partition(parent TEXT, month DATE) RETURNS BOOLEAN LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    first_day DATE := date_trunc('month', month)::DATE;
    part TEXT := parent || '_' || to_char(first_day, 'YYYY_MM');
    from_time TEXT := first_day || ' 00:00:00+00';
    to_time TEXT := (first_day + INTERVAL '1 month')::DATE || ' 00:00:00+00';
BEGIN
    IF to_regclass(quote_ident(part)) IS NOT NULL THEN
        RETURN FALSE;
    END IF;
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
    IF to_regclass(quote_ident(part)) IS NOT NULL THEN
        RETURN FALSE;  -- another session was faster
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
    EXECUTE format(
        'WITH moved AS (DELETE FROM %I WHERE created_at >= %L AND created_at < %L RETURNING *)'
        ' INSERT INTO %I SELECT * FROM moved', parent || '_default', from_time, to_time, part);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        parent, part, from_time, to_time);
    RETURN TRUE;
END $$;

-- Creates this month, the months after it, and those of rows in the default partition; returns how many.
CREATE OR REPLACE FUNCTION create_future_partitions(months_ahead INTEGER DEFAULT 3) RETURNS INTEGER LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    parent TEXT;
    month DATE;
    created INTEGER := 0;
BEGIN
    FOREACH parent IN ARRAY ARRAY['audit_log', 'memory_events'] LOOP
        FOR month IN EXECUTE format(
            'SELECT date_trunc(''month'', now() AT TIME ZONE ''UTC'')::DATE + make_interval(months => n)'
            ' FROM generate_series(0, %s) AS n'
            ' UNION SELECT date_trunc(''month'', created_at AT TIME ZONE ''UTC'') FROM %I',
            months_ahead, parent || '_default') LOOP
            created := created + create_monthly_partition(parent, month)::INTEGER;
        END LOOP;
    END LOOP;
    RETURN created;
END $$;

-- Drops the partitions of months that ended more than so many months ago, with their rows; returns how many.
CREATE OR REPLACE FUNCTION drop_old_partitions(audit_months INTEGER DEFAULT 12, event_months INTEGER DEFAULT 6)
RETURNS INTEGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    part RECORD;
    dropped INTEGER := 0;
    this_month DATE := date_trunc('month', now() AT TIME ZONE 'UTC')::DATE;
BEGIN
    FOR part IN
        SELECT c.relname::TEXT AS name, to_date(right(c.relname, 7), 'YYYY_MM') AS month,
            CASE p.relname WHEN 'audit_log' THEN audit_months ELSE event_months END AS keep
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE i.inhparent IN (to_regclass('audit_log'), to_regclass('memory_events'))
            AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
    LOOP
        IF part.month < this_month - make_interval(months => part.keep) THEN
            EXECUTE format('DROP TABLE %I', part.name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;

CREATE OR REPLACE FUNCTION maintain_partitions() RETURNS TABLE (created INTEGER, dropped INTEGER) LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    created := create_future_partitions(3);
    dropped := drop_old_partitions(12, 6);
    RETURN NEXT;
END $$;

CREATE OR REPLACE VIEW memory_partition_info AS
    SELECT p.relname::TEXT AS table_name, c.relname::TEXT AS partition_name,
        pg_get_expr(c.relpartbound, c.oid) AS bounds, nullif(c.reltuples, -1)::BIGINT AS estimated_rows,
        pg_total_relation_size(c.oid) AS total_bytes
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
    WHERE i.inhparent IN ('audit_log'::REGCLASS, 'memory_events'::REGCLASS)
    ORDER BY 1, 2;

SELECT create_future_partitions(3);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_cron') THEN
        PERFORM cron.schedule('maintain_memory_partitions', '0 2 1 * *',
            format('SELECT %I.maintain_partitions()', current_schema()));
    END IF;
END $$;
