-- Tables of the Memory Adapter Layer, their triggers and functions. PostgreSQL 14 or later.
--
--   psql -d your_database -f 001_create_memory_tables.sql
--
-- Can be run again at any time. The tables are created in the first schema of the search path; for another one:
--   PGOPTIONS='-c search_path=agents' psql -d your_database -f 001_create_memory_tables.sql

CREATE TABLE IF NOT EXISTS flow_run_history (
    id BIGSERIAL PRIMARY KEY,
    flow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    data JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS task_outputs (
    id BIGSERIAL PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    output JSONB NOT NULL,
    metadata JSONB NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- audit_log and memory_events are partitioned by time. Until 003 adds months, every row is in the default partition.
CREATE TABLE IF NOT EXISTS audit_log (
    id BIGSERIAL,
    entity_type VARCHAR(100) NOT NULL,
    entity_id TEXT NOT NULL,
    action VARCHAR(100) NOT NULL,
    data JSONB NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE IF NOT EXISTS audit_log_default PARTITION OF audit_log DEFAULT;

CREATE TABLE IF NOT EXISTS memory_context (
    id BIGSERIAL PRIMARY KEY,
    context_id TEXT NOT NULL UNIQUE,
    context_data JSONB NOT NULL,
    ttl_seconds INTEGER,
    expires_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS memory_events (
    id BIGSERIAL,
    context_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_data JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE IF NOT EXISTS memory_events_default PARTITION OF memory_events DEFAULT;
CREATE INDEX IF NOT EXISTS idx_memory_events_context ON memory_events (context_id, id);

CREATE TABLE IF NOT EXISTS vector_embeddings (
    id BIGSERIAL PRIMARY KEY,
    namespace TEXT NOT NULL DEFAULT 'default',
    embedding_id TEXT NOT NULL,
    embedding_vector REAL[] NOT NULL,
    metadata JSONB NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (namespace, embedding_id)
);

-- ------------------------------------------------------------------------------------------------ triggers

CREATE OR REPLACE FUNCTION set_memory_updated_at() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER flow_run_history_updated BEFORE UPDATE ON flow_run_history
    FOR EACH ROW EXECUTE FUNCTION set_memory_updated_at();
CREATE OR REPLACE TRIGGER task_outputs_updated BEFORE UPDATE ON task_outputs
    FOR EACH ROW EXECUTE FUNCTION set_memory_updated_at();
CREATE OR REPLACE TRIGGER memory_context_updated BEFORE UPDATE ON memory_context
    FOR EACH ROW EXECUTE FUNCTION set_memory_updated_at();
CREATE OR REPLACE TRIGGER vector_embeddings_updated BEFORE UPDATE ON vector_embeddings
    FOR EACH ROW EXECUTE FUNCTION set_memory_updated_at();

-- A context and its events end together, however the context is deleted.
CREATE OR REPLACE FUNCTION delete_memory_events() RETURNS TRIGGER LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM memory_events WHERE context_id = OLD.context_id;
    RETURN OLD;
END $$;

CREATE OR REPLACE TRIGGER memory_context_deleted AFTER DELETE ON memory_context
    FOR EACH ROW EXECUTE FUNCTION delete_memory_events();

-- ------------------------------------------------------------------------------------------------ contexts

-- Sets the data and the expiry of a context; its events stay, unless it had expired.
CREATE OR REPLACE FUNCTION set_memory_context(for_context TEXT, new_data JSONB, ttl DOUBLE PRECISION DEFAULT NULL)
RETURNS VOID LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM memory_context WHERE context_id = for_context AND expires_at <= clock_timestamp();
    INSERT INTO memory_context (context_id, context_data, ttl_seconds, expires_at)
    VALUES (for_context, new_data, ceil(ttl)::INTEGER, clock_timestamp() + ttl * INTERVAL '1 second')
    ON CONFLICT (context_id) DO UPDATE SET context_data = excluded.context_data,
        ttl_seconds = excluded.ttl_seconds, expires_at = excluded.expires_at;
END $$;

-- Appends an event. The context is locked against deletion, and created if there is none; its expiry stays.
CREATE OR REPLACE FUNCTION append_memory_event(for_context TEXT, new_id TEXT, event JSONB)
RETURNS VOID LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    LOOP
        DELETE FROM memory_context WHERE context_id = for_context AND expires_at <= clock_timestamp();
        PERFORM 1 FROM memory_context WHERE context_id = for_context FOR KEY SHARE;
        EXIT WHEN FOUND;
        INSERT INTO memory_context (context_id, context_data) VALUES (for_context, '{}')
        ON CONFLICT (context_id) DO NOTHING;
    END LOOP;
    INSERT INTO memory_events (context_id, event_id, event_data) VALUES (for_context, new_id, event);
END $$;

-- Deletes every context that has expired, with its events; returns how many.
CREATE OR REPLACE FUNCTION cleanup_expired_context() RETURNS INTEGER LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    deleted INTEGER;
BEGIN
    DELETE FROM memory_context WHERE expires_at <= clock_timestamp();
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;

-- A context that has not expired, and its events as a JSON list, the oldest first.
CREATE OR REPLACE FUNCTION get_context_with_events(for_context TEXT)
RETURNS TABLE (context_id TEXT, context_data JSONB, created_at TIMESTAMPTZ, expires_at TIMESTAMPTZ, events JSONB)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT c.context_id, c.context_data, c.created_at, c.expires_at, coalesce((
        SELECT jsonb_agg(jsonb_build_object('event_id', e.event_id, 'event', e.event_data, 'timestamp', e.created_at)
            ORDER BY e.id)
        FROM memory_events e WHERE e.context_id = c.context_id), '[]')
    FROM memory_context c
    WHERE c.context_id = for_context AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp())
$$;

-- ------------------------------------------------------------------------------------------------ embeddings

-- How near two vectors of one length are: the cosine, the inner product, or 1 - distance^2 / 2 ('euclidean'). The
-- greater, the nearer; for vectors of unit length all three are the cosine.
CREATE OR REPLACE FUNCTION embedding_similarity(a REAL[], b REAL[], metric TEXT DEFAULT 'cosine')
RETURNS DOUBLE PRECISION LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE metric
        WHEN 'cosine' THEN coalesce(sum(x * y) / nullif(sqrt(sum(x * x)) * sqrt(sum(y * y)), 0), 0)
        WHEN 'dotproduct' THEN sum(x * y)
        WHEN 'euclidean' THEN 1 - sum((x - y) * (x - y)) / 2
    END
    FROM (SELECT p.x::DOUBLE PRECISION, p.y::DOUBLE PRECISION FROM unnest(a, b) AS p (x, y)) AS pairs
$$;

-- The same by pgvector, some fifteen times faster, where the extension is there: CREATE EXTENSION vector, and run this
-- script again.
DO $$
DECLARE
    home TEXT := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'vector');
BEGIN
    IF home IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format($function$
        CREATE OR REPLACE FUNCTION embedding_similarity(a REAL[], b REAL[], metric TEXT DEFAULT 'cosine')
        RETURNS DOUBLE PRECISION LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$
            SELECT CASE metric
                WHEN 'cosine' THEN coalesce(nullif(1 - (a::%1$I.vector OPERATOR(%1$I.<=>) b::%1$I.vector), 'NaN'), 0)
                WHEN 'dotproduct' THEN -(a::%1$I.vector OPERATOR(%1$I.<#>) b::%1$I.vector)
                WHEN 'euclidean' THEN 1 - power(a::%1$I.vector OPERATOR(%1$I.<->) b::%1$I.vector, 2) / 2
            END
        $body$ $function$, home);
END $$;

-- The nearest embeddings of the vector's length, at least as near as the threshold (NULL: any), whose metadata has
-- every key of the filter with an equal value; a null of the filter stands for an absent key, too.
CREATE OR REPLACE FUNCTION search_similar_embeddings(
    query_vector REAL[], similarity_threshold DOUBLE PRECISION DEFAULT 0.7, max_results INTEGER DEFAULT 10,
    in_namespace TEXT DEFAULT 'default', metric TEXT DEFAULT 'cosine', metadata_filter JSONB DEFAULT '{}'
) RETURNS TABLE (embedding_id TEXT, similarity DOUBLE PRECISION, metadata JSONB)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT found.embedding_id, found.similarity, found.metadata FROM (
        SELECT e.embedding_id, embedding_similarity(e.embedding_vector, query_vector, metric) AS similarity, e.metadata
        FROM vector_embeddings e
        WHERE e.namespace = in_namespace AND cardinality(e.embedding_vector) = cardinality(query_vector)
            AND e.metadata @> jsonb_strip_nulls(metadata_filter) AND NOT EXISTS (
                SELECT 1 FROM jsonb_each(metadata_filter) AS f
                WHERE coalesce(e.metadata -> f.key, 'null') <> f.value)
    ) AS found
    WHERE similarity_threshold IS NULL OR found.similarity >= similarity_threshold
    ORDER BY found.similarity DESC, found.embedding_id COLLATE "C" LIMIT max_results
$$;
