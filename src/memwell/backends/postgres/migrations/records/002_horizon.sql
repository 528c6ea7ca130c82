-- A transaction has its number a moment before that is among the locks. While a writer is met without one, only the
-- snapshot knows: every number below its xmin has finished, and one that is given later is not below its xmax.
CREATE OR REPLACE FUNCTION memwell_horizon() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    seen pg_snapshot := pg_current_snapshot();
    next bigint := pg_snapshot_xmax(seen)::text::bigint;
    oldest bigint;
    numberless boolean;
BEGIN
    SELECT min(next - ((next & 4294967295) - of.transactionid::text::bigint + 4294967296) % 4294967296)
            FILTER (WHERE of.transactionid::text::bigint <> next & 4294967295),
        coalesce(bool_or(of.pid IS NULL), false)
    INTO oldest, numberless
    FROM pg_locks held LEFT JOIN pg_locks of ON of.pid = held.pid AND of.locktype = 'transactionid'
        AND of.mode = 'ExclusiveLock' AND of.granted
    WHERE held.locktype = 'advisory' AND held.classid = 1835365239 AND held.objsubid = 2
        AND held.objid = 'changes'::regclass::oid
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN least(next, oldest, CASE WHEN numberless THEN pg_snapshot_xmin(seen)::text::bigint END);
END $$;
