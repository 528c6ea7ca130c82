-- Indexes, statistics and the removal of old data. Run after 001; can be run again at any time.
--
-- No index has a condition on the current time: PostgreSQL refuses those, since such an index would be wrong tomorrow.

CREATE INDEX IF NOT EXISTS idx_flow_run_history_flow ON flow_run_history (flow_id, id DESC);
CREATE INDEX IF NOT EXISTS idx_flow_run_history_run ON flow_run_history (flow_id, run_id, id DESC);
CREATE INDEX IF NOT EXISTS idx_flow_run_history_created ON flow_run_history USING brin (created_at);
CREATE INDEX IF NOT EXISTS idx_flow_run_history_data ON flow_run_history USING gin (data);
CREATE INDEX IF NOT EXISTS idx_flow_run_history_active ON flow_run_history (flow_id, created_at)
    WHERE data ->> 'status' IN ('pending', 'started', 'running');

CREATE INDEX IF NOT EXISTS idx_task_outputs_updated ON task_outputs (updated_at);
CREATE INDEX IF NOT EXISTS idx_task_outputs_output ON task_outputs USING gin (output);
CREATE INDEX IF NOT EXISTS idx_task_outputs_metadata ON task_outputs USING gin (metadata);

CREATE INDEX IF NOT EXISTS idx_audit_log_entity ON audit_log (entity_type, entity_id, id DESC);
CREATE INDEX IF NOT EXISTS idx_audit_log_action ON audit_log (action, created_at);
CREATE INDEX IF NOT EXISTS idx_audit_log_created ON audit_log USING brin (created_at);
CREATE INDEX IF NOT EXISTS idx_audit_log_data ON audit_log USING gin (data);

CREATE INDEX IF NOT EXISTS idx_memory_context_expires ON memory_context (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_memory_context_data ON memory_context USING gin (context_data);

CREATE INDEX IF NOT EXISTS idx_memory_events_event ON memory_events (event_id);
CREATE INDEX IF NOT EXISTS idx_memory_events_created ON memory_events USING brin (created_at);
CREATE INDEX IF NOT EXISTS idx_memory_events_data ON memory_events USING gin (event_data);

CREATE INDEX IF NOT EXISTS idx_vector_embeddings_metadata ON vector_embeddings USING gin (metadata);

-- ------------------------------------------------------------------------------------------------ statistics

CREATE MATERIALIZED VIEW IF NOT EXISTS flow_run_stats AS
    SELECT flow_id, count(*) AS entries, count(DISTINCT run_id) AS runs,
        count(*) FILTER (WHERE data ->> 'status' = 'completed') AS completed,
        count(*) FILTER (WHERE data ->> 'status' = 'failed') AS failed,
        min(created_at) AS first_at, max(created_at) AS last_at
    FROM flow_run_history GROUP BY flow_id;
CREATE UNIQUE INDEX IF NOT EXISTS idx_flow_run_stats_flow ON flow_run_stats (flow_id);

CREATE OR REPLACE FUNCTION refresh_flow_run_stats() RETURNS VOID LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    REFRESH MATERIALIZED VIEW CONCURRENTLY flow_run_stats;
END $$;

CREATE OR REPLACE FUNCTION get_context_stats()
RETURNS TABLE (contexts BIGINT, active BIGINT, expired BIGINT, without_expiry BIGINT, events BIGINT)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT count(*), count(*) FILTER (WHERE expires_at IS NULL OR expires_at > clock_timestamp()),
        count(*) FILTER (WHERE expires_at <= clock_timestamp()), count(*) FILTER (WHERE expires_at IS NULL),
        (SELECT count(*) FROM memory_events)
    FROM memory_context
$$;

-- Sizes in bytes, partitions included.
CREATE OR REPLACE FUNCTION get_memory_usage_stats()
RETURNS TABLE (table_name TEXT, row_count BIGINT, table_bytes BIGINT, index_bytes BIGINT)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    FOREACH table_name IN ARRAY ARRAY['flow_run_history', 'task_outputs', 'audit_log', 'memory_context',
        'memory_events', 'vector_embeddings'] LOOP
        EXECUTE format('SELECT count(*) FROM %I', table_name) INTO row_count;
        SELECT sum(pg_table_size(t.id)), sum(pg_indexes_size(t.id)) INTO table_bytes, index_bytes
        FROM (SELECT to_regclass(table_name) AS id UNION ALL
            SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(table_name)) AS t;
        RETURN NEXT;
    END LOOP;
END $$;

-- Deletes the history of flows and audit entries of more than so many days, and contexts that expired more than
-- `context_days` ago, with their events. What has not expired stays.
CREATE OR REPLACE FUNCTION cleanup_old_data(
    flow_days INTEGER DEFAULT 90, audit_days INTEGER DEFAULT 365, context_days INTEGER DEFAULT 7
) RETURNS TABLE (table_name TEXT, deleted BIGINT) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM flow_run_history WHERE created_at < clock_timestamp() - make_interval(days => flow_days);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    table_name := 'flow_run_history';
    RETURN NEXT;
    DELETE FROM audit_log WHERE created_at < clock_timestamp() - make_interval(days => audit_days);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    table_name := 'audit_log';
    RETURN NEXT;
    DELETE FROM memory_context WHERE expires_at < clock_timestamp() - make_interval(days => context_days);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    table_name := 'memory_context';
    RETURN NEXT;
END $$;
