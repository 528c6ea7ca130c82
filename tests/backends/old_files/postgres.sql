


SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;


CREATE SCHEMA memwell;



CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA memwell;



COMMENT ON EXTENSION vector IS 'vector data type and ivfflat and hnsw access methods';



CREATE FUNCTION memwell.memwell_changes(after_xid bigint, after_ordinal bigint, most bigint) RETURNS TABLE(xid bigint, ordinal bigint, key bigint, deleted boolean, tenant_id text, user_id text, id text)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    horizon bigint := memwell_horizon();
BEGIN
    RETURN QUERY
    SELECT c.xid, c.ordinal, c.key, c.deleted, coalesce(c.tenant_id, r.tenant_id),
        CASE WHEN c.deleted THEN c.user_id ELSE r.user_id END, coalesce(c.id, r.id)
    FROM changes c LEFT JOIN records r ON r.key = c.key AND NOT c.deleted
    WHERE (c.xid, c.ordinal) > (after_xid, after_ordinal) AND c.xid < horizon
        AND (c.deleted OR r.key IS NOT NULL)
    ORDER BY c.xid, c.ordinal LIMIT most;
END $$;



CREATE FUNCTION memwell.memwell_clean() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM history x USING gone WHERE x.key = gone.key;
    DELETE FROM access x USING gone WHERE x.key = gone.key;
    DELETE FROM links x USING gone WHERE x.source = gone.key;
    DELETE FROM links x USING gone WHERE x.target = gone.key;
    RETURN NULL;
END $$;



CREATE FUNCTION memwell.memwell_clean_vectors() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM vectors x USING gone WHERE x.key = gone.key;
    RETURN NULL;
END $$;



CREATE FUNCTION memwell.memwell_horizon() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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



CREATE FUNCTION memwell.memwell_known(mark bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1835365239, 'changes'::regclass::oid::int),
        pg_advisory_xact_lock_shared(1835365240, 'records'::regclass::oid::int),
        pg_advisory_xact_lock(mark);
    RETURN EXISTS (SELECT FROM records WHERE digest = mark);
END $$;



CREATE FUNCTION memwell.memwell_position() RETURNS TABLE(xid bigint, ordinal bigint)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    horizon bigint := memwell_horizon();
BEGIN
    RETURN QUERY SELECT c.xid, c.ordinal FROM changes c WHERE c.xid < horizon ORDER BY c.xid DESC, c.ordinal DESC LIMIT 1;
END $$;



CREATE FUNCTION memwell.memwell_writing() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1835365239, 'changes'::regclass::oid::int);
    RETURN true;
END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;


CREATE TABLE memwell.access (
    key bigint NOT NULL,
    count bigint NOT NULL,
    at timestamp with time zone NOT NULL
);



CREATE TABLE memwell.changes (
    xid bigint DEFAULT ((pg_current_xact_id())::text)::bigint NOT NULL,
    ordinal bigint NOT NULL,
    key bigint NOT NULL,
    deleted boolean DEFAULT false NOT NULL,
    tenant_id text COLLATE pg_catalog."C",
    user_id text COLLATE pg_catalog."C",
    id text COLLATE pg_catalog."C"
);



CREATE TABLE memwell.followers (
    name text NOT NULL COLLATE pg_catalog."C",
    "position" numeric NOT NULL,
    holder text COLLATE pg_catalog."C",
    held_until timestamp with time zone
);



CREATE TABLE memwell.history (
    key bigint NOT NULL,
    version bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed text NOT NULL COLLATE pg_catalog."C",
    record text NOT NULL COLLATE pg_catalog."C"
);



CREATE TABLE memwell.links (
    source bigint NOT NULL,
    target bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    strength double precision NOT NULL,
    created_at timestamp with time zone NOT NULL
);



CREATE TABLE memwell.memwell_keyvalue (
    key text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL,
    expires_at timestamp with time zone
)
WITH (fillfactor='80');



CREATE TABLE memwell.memwell_log_entries (
    stream bigint NOT NULL,
    "position" bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    data bytea NOT NULL
)
PARTITION BY RANGE (at);



CREATE TABLE memwell.memwell_log_entries_2026_11 (
    stream bigint CONSTRAINT memwell_log_entries_stream_not_null NOT NULL,
    "position" bigint CONSTRAINT memwell_log_entries_position_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT memwell_log_entries_at_not_null NOT NULL,
    data bytea CONSTRAINT memwell_log_entries_data_not_null NOT NULL
);



CREATE TABLE memwell.memwell_log_entries_2026_12 (
    stream bigint CONSTRAINT memwell_log_entries_stream_not_null NOT NULL,
    "position" bigint CONSTRAINT memwell_log_entries_position_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT memwell_log_entries_at_not_null NOT NULL,
    data bytea CONSTRAINT memwell_log_entries_data_not_null NOT NULL
);



CREATE TABLE memwell.memwell_log_entries_2027_01 (
    stream bigint CONSTRAINT memwell_log_entries_stream_not_null NOT NULL,
    "position" bigint CONSTRAINT memwell_log_entries_position_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT memwell_log_entries_at_not_null NOT NULL,
    data bytea CONSTRAINT memwell_log_entries_data_not_null NOT NULL
);



CREATE TABLE memwell.memwell_log_entries_2027_02 (
    stream bigint CONSTRAINT memwell_log_entries_stream_not_null NOT NULL,
    "position" bigint CONSTRAINT memwell_log_entries_position_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT memwell_log_entries_at_not_null NOT NULL,
    data bytea CONSTRAINT memwell_log_entries_data_not_null NOT NULL
);



CREATE TABLE memwell.memwell_log_entries_default (
    stream bigint CONSTRAINT memwell_log_entries_stream_not_null NOT NULL,
    "position" bigint CONSTRAINT memwell_log_entries_position_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT memwell_log_entries_at_not_null NOT NULL,
    data bytea CONSTRAINT memwell_log_entries_data_not_null NOT NULL
);



CREATE TABLE memwell.memwell_log_streams (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    last bigint NOT NULL
)
WITH (fillfactor='80');



ALTER TABLE memwell.memwell_log_streams ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME memwell.memwell_log_streams_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE memwell.memwell_migrations (
    component text NOT NULL,
    number integer NOT NULL,
    checksum text NOT NULL,
    creates text[] NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);



CREATE TABLE memwell.models (
    number integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    dimension integer NOT NULL,
    serving boolean DEFAULT false NOT NULL
);



ALTER TABLE memwell.models ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME memwell.models_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE memwell.records (
    key bigint NOT NULL,
    digest bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    importance double precision NOT NULL,
    version bigint NOT NULL,
    reinforced bigint NOT NULL,
    length integer NOT NULL,
    embedded boolean NOT NULL,
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    user_id text COLLATE pg_catalog."C",
    repeats jsonb,
    agent_id text COLLATE pg_catalog."C",
    session_id text COLLATE pg_catalog."C",
    namespace text COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    category text COLLATE pg_catalog."C",
    tier text COLLATE pg_catalog."C",
    source text COLLATE pg_catalog."C",
    signals text NOT NULL COLLATE pg_catalog."C",
    tags jsonb NOT NULL,
    metadata jsonb NOT NULL,
    instants jsonb,
    content text NOT NULL COLLATE pg_catalog."C",
    lexemes text NOT NULL COLLATE pg_catalog."C",
    words tsvector NOT NULL
);



ALTER TABLE memwell.records ALTER COLUMN key ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME memwell.records_key_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE memwell.trimmed (
    "position" numeric NOT NULL
);



CREATE TABLE memwell.vectors (
    model integer NOT NULL,
    key bigint NOT NULL,
    vec memwell.vector NOT NULL,
    spans text COLLATE pg_catalog."C",
    passages bytea
)
PARTITION BY LIST (model);
ALTER TABLE ONLY memwell.vectors ALTER COLUMN passages SET STORAGE EXTERNAL;



CREATE TABLE memwell.vectors_1 (
    model integer CONSTRAINT vectors_model_not_null NOT NULL,
    key bigint CONSTRAINT vectors_key_not_null NOT NULL,
    vec memwell.vector CONSTRAINT vectors_vec_not_null NOT NULL,
    spans text COLLATE pg_catalog."C",
    passages bytea,
    CONSTRAINT vectors_1_model_check CHECK ((model = 1)),
    CONSTRAINT vectors_1_vec_check CHECK ((memwell.vector_dims(vec) = 8))
);
ALTER TABLE ONLY memwell.vectors_1 ALTER COLUMN vec SET STORAGE PLAIN;
ALTER TABLE ONLY memwell.vectors_1 ALTER COLUMN passages SET STORAGE EXTERNAL;



CREATE TABLE memwell.vectors_2 (
    model integer CONSTRAINT vectors_model_not_null NOT NULL,
    key bigint CONSTRAINT vectors_key_not_null NOT NULL,
    vec memwell.vector CONSTRAINT vectors_vec_not_null NOT NULL,
    spans text COLLATE pg_catalog."C",
    passages bytea,
    CONSTRAINT vectors_2_model_check CHECK ((model = 2)),
    CONSTRAINT vectors_2_vec_check CHECK ((memwell.vector_dims(vec) = 8))
);
ALTER TABLE ONLY memwell.vectors_2 ALTER COLUMN vec SET STORAGE PLAIN;
ALTER TABLE ONLY memwell.vectors_2 ALTER COLUMN passages SET STORAGE EXTERNAL;



ALTER TABLE ONLY memwell.memwell_log_entries ATTACH PARTITION memwell.memwell_log_entries_2026_11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');



ALTER TABLE ONLY memwell.memwell_log_entries ATTACH PARTITION memwell.memwell_log_entries_2026_12 FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');



ALTER TABLE ONLY memwell.memwell_log_entries ATTACH PARTITION memwell.memwell_log_entries_2027_01 FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00');



ALTER TABLE ONLY memwell.memwell_log_entries ATTACH PARTITION memwell.memwell_log_entries_2027_02 FOR VALUES FROM ('2027-02-01 00:00:00+00') TO ('2027-03-01 00:00:00+00');



ALTER TABLE ONLY memwell.memwell_log_entries ATTACH PARTITION memwell.memwell_log_entries_default DEFAULT;



ALTER TABLE ONLY memwell.vectors ATTACH PARTITION memwell.vectors_1 FOR VALUES IN (1);



ALTER TABLE ONLY memwell.vectors ATTACH PARTITION memwell.vectors_2 FOR VALUES IN (2);



INSERT INTO memwell.access VALUES (1, 7, '2026-03-01 13:00:00.000001+00');



INSERT INTO memwell.changes VALUES (757, 1, 1, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 2, 2, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 3, 3, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 4, 4, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 5, 5, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 6, 6, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 7, 7, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 8, 8, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (757, 9, 1, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (759, 0, 2, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (760, 0, 2, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (761, 0, 1, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (761, 1, 2, false, NULL, NULL, NULL);
INSERT INTO memwell.changes VALUES (761, 3, 7, true, 'acme', 'ana', 'gone');



INSERT INTO memwell.followers VALUES ('mirror', 0, 'old', '2026-03-01 12:01:00+00');
INSERT INTO memwell.followers VALUES ('index', 3268470112259, NULL, '2026-03-01 12:00:00+00');



INSERT INTO memwell.history VALUES (2, 1, '2026-03-02 12:00:00+00', '["content","tags"]', '{"id":"changed","content":"Ana lives in Rome","kind":"memory","importance":0.5,"access_count":0,"reinforced":0,"version":1,"tenant_id":"acme","user_id":"ana","created_at":"2026-03-01T12:00:00+00:00","updated_at":"2026-03-01T12:00:00+00:00","metadata":{},"tags":[],"links":[]}');
INSERT INTO memwell.history VALUES (2, 2, '2026-03-03 12:00:00+00', '["importance","metadata"]', '{"id":"changed","content":"Ana lives in Paris","kind":"memory","importance":0.5,"access_count":0,"reinforced":0,"version":2,"tenant_id":"acme","user_id":"ana","created_at":"2026-03-01T12:00:00+00:00","updated_at":"2026-03-02T12:00:00+00:00","metadata":{},"tags":["city"],"links":[]}');



INSERT INTO memwell.links VALUES (1, 5, 'about', 0.25, '2026-03-04 12:00:00+00');
INSERT INTO memwell.links VALUES (2, 1, 'next', 0.75, '2026-03-04 12:00:00+00');



INSERT INTO memwell.memwell_keyvalue VALUES ('clé', '\xc3a9', NULL);
INSERT INTO memwell.memwell_keyvalue VALUES ('plain', '\x00ff206279746573', NULL);
INSERT INTO memwell.memwell_keyvalue VALUES ('long lived', '\x31', '2121-12-23 19:11:21.278103+00');
INSERT INTO memwell.memwell_keyvalue VALUES ('counter', '\x3431', NULL);



INSERT INTO memwell.memwell_log_entries_2026_11 VALUES (1, 2, '2026-11-29 13:51:21.331374+00', '\x74776f');
INSERT INTO memwell.memwell_log_entries_2026_11 VALUES (1, 3, '2026-11-29 13:51:21.331374+00', '\x007468726565');















INSERT INTO memwell.memwell_log_streams OVERRIDING SYSTEM VALUE VALUES (1, 'events', 3);
INSERT INTO memwell.memwell_log_streams OVERRIDING SYSTEM VALUE VALUES (2, 'emptied', 1);



INSERT INTO memwell.memwell_migrations VALUES ('store', 1, '141610b40d6f571476cabc3a9cd9fff1', '{"FUNCTION memwell_changes(bigint,bigint,bigint)","FUNCTION memwell_clean()","FUNCTION memwell_horizon()","FUNCTION memwell_known(bigint)","FUNCTION memwell_position()","FUNCTION memwell_writing()","TABLE access","TABLE changes","TABLE followers","TABLE history","TABLE links","TABLE models","TABLE records","TABLE trimmed"}', '2026-11-29 13:51:21.053742+00');
INSERT INTO memwell.memwell_migrations VALUES ('store', 2, '0473a0ed076ad0fa0b5f7ce571d658cd', '{}', '2026-11-29 13:51:21.053742+00');
INSERT INTO memwell.memwell_migrations VALUES ('vectors', 1, '5af3deac58c183f5599a3902fa753e8b', '{"FUNCTION memwell_clean_vectors()","TABLE vectors"}', '2026-11-29 13:51:21.053742+00');
INSERT INTO memwell.memwell_migrations VALUES ('keyvalue', 1, '5fbdbcd18932421f1e236cd2079cbb21', '{"TABLE memwell_keyvalue"}', '2026-11-29 13:51:21.229449+00');
INSERT INTO memwell.memwell_migrations VALUES ('log', 1, 'f05cf6d9cbe4b7cdb08bb9c4f20c45e0', '{"TABLE memwell_log_entries","TABLE memwell_log_entries_2026_11","TABLE memwell_log_entries_2026_12","TABLE memwell_log_entries_2027_01","TABLE memwell_log_entries_2027_02","TABLE memwell_log_entries_default","TABLE memwell_log_streams"}', '2026-11-29 13:51:21.29673+00');



INSERT INTO memwell.models OVERRIDING SYSTEM VALUE VALUES (1, 'model-b', 8, true);
INSERT INTO memwell.models OVERRIDING SYSTEM VALUE VALUES (2, 'model-a', 8, false);



INSERT INTO memwell.records VALUES (3, 2825345032745563835, '2026-03-01 12:00:00+00', '2026-03-01 12:00:00+00', NULL, 0.5, 1, 0, 8, true, 'acme', 'passages', 'ana', '{"tell": 2, "passag": 2}', NULL, NULL, NULL, 'memory', NULL, NULL, NULL, '', '[]', '{}', NULL, 'The first passage tells of boats.

The second passage tells of bikes.', 'first passag tell boat second passag tell bike', '''y6Twbike/LREeoQ'' ''y6Twboat/LREeoQ'' ''y6Twfirst/LREeoQ'' ''y6Twpassag/LREeoQ'' ''y6Twsecond/LREeoQ'' ''y6Twtell/LREeoQ''');
INSERT INTO memwell.records VALUES (4, -16837064178838250, '2026-03-01 12:00:00+00', '2026-03-01 12:00:00+00', NULL, 0.5, 1, 0, 3, true, 'acme', 'second-only', 'ana', NULL, NULL, NULL, NULL, 'memory', NULL, NULL, NULL, '', '[]', '{}', NULL, 'Ana has two cats', 'ana two cat', '''y6Twana/LREeoQ'' ''y6Twcat/LREeoQ'' ''y6Twtwo/LREeoQ''');
INSERT INTO memwell.records VALUES (5, -3409796663567778206, '2026-03-01 12:00:00+00', '2026-03-01 12:00:00+00', NULL, 0.5, 1, 0, 3, false, 'acme', 'bare', 'ana', NULL, NULL, NULL, NULL, 'memory', NULL, NULL, NULL, '', '[]', '{}', NULL, 'Ana''s bike is blue', 'ana bike blue', '''y6Twana/LREeoQ'' ''y6Twbike/LREeoQ'' ''y6Twblue/LREeoQ''');
INSERT INTO memwell.records VALUES (6, 2037749745321623514, '2026-03-01 12:00:00+00', '2026-03-01 12:00:00+00', '2026-02-28 12:00:00+00', 0.5, 1, 0, 2, false, 'acme', 'expired', 'ana', NULL, NULL, NULL, NULL, 'memory', NULL, NULL, NULL, '', '[]', '{}', NULL, 'Ana is on the train', 'ana train', '''y6Twana/LREeoQ'' ''y6Twtrain/LREeoQ''');
INSERT INTO memwell.records VALUES (8, 2562951623101505479, '2026-03-01 12:00:00+00', '2026-03-01 12:00:00+00', NULL, 0.5, 1, 0, 2, true, 'other', 'stranger', NULL, NULL, NULL, NULL, NULL, 'memory', NULL, NULL, NULL, '', '[]', '{}', NULL, 'No user is named here', 'user name', '''ave4name/'' ''ave4user/''');
INSERT INTO memwell.records VALUES (1, -994552869808945394, '2026-03-01 12:00:00+00', '2026-03-01 12:00:00+00', '2999-01-01 00:00:00+00', 0.9, 1, 1, 11, true, 'acme', 'every-field', 'ana', '{"ana": 2}', 'helper', 's1', 'home', 'fact', 'food', 'core', 'chat', '', '["tea", "health"]', '{"n": 0.1, "when": "2025-12-24T18:00:00+01:00", "nested": {"a": [1, null, "x"]}, "ключ": true}', '{"when": 1766595600000000}', 'Ana drinks green tea; Ana''s doctor said: no coffee after 16:00 – 「緑茶」 🍵', 'ana drink green tea ana doctor said coffe 16 00 緑茶', '''y6Tw00/LREeoQ'' ''y6Tw16/LREeoQ'' ''y6Twana/LREeoQ'' ''y6Twcoffe/LREeoQ'' ''y6Twdoctor/LREeoQ'' ''y6Twdrink/LREeoQ'' ''y6Twgreen/LREeoQ'' ''y6Twsaid/LREeoQ'' ''y6Twtea/LREeoQ'' ''y6Tw緑茶/LREeoQ''');
INSERT INTO memwell.records VALUES (2, -80011626329159229, '2026-03-01 12:00:00+00', '2026-03-03 12:00:00+00', NULL, 0.25, 3, 0, 3, true, 'acme', 'changed', 'ana', NULL, NULL, NULL, NULL, 'memory', NULL, NULL, NULL, '', '["city"]', '{"street": "rue ☕"}', NULL, 'Ana lives in Paris', 'ana live pari', '''y6Twana/LREeoQ'' ''y6Twlive/LREeoQ'' ''y6Twpari/LREeoQ''');



INSERT INTO memwell.trimmed VALUES (0);



INSERT INTO memwell.vectors_1 VALUES (1, 4, '[0.5170704,-0.64748216,0.10592607,-0.14384541,-0.114679486,-0.054621916,-0.51176697,-0.05876047]', NULL, NULL);



INSERT INTO memwell.vectors_2 VALUES (2, 1, '[0.16769554,0.3986921,0.16034536,-0.6323601,0.43932605,0.21660429,-0.2605578,0.28198892]', NULL, NULL);
INSERT INTO memwell.vectors_2 VALUES (2, 3, '[-0.19247633,-0.15268195,0.10894755,-0.12973008,-0.09631575,-0.6647082,0.0067429775,0.6780726]', '[[0,33],[35,69]]', '\x004f223a02f9193e3b4a0dbe2081e5be0f566abecb8bffbe9efbf73c96af2c3f2d31a4bef8facebe4267a33e7a1a6e3e6ea88c3dcc311bbf7e209cbc1df1e73e');
INSERT INTO memwell.vectors_2 VALUES (2, 8, '[-0.3637854,-0.6007776,-0.1126659,0.19072932,0.5153522,0.049766827,-0.250701,-0.356005]', NULL, NULL);
INSERT INTO memwell.vectors_2 VALUES (2, 2, '[0.26062095,0.43963906,-0.6318786,-0.03414305,0.25087127,0.33462274,0.16179697,0.37050083]', NULL, NULL);



SELECT pg_catalog.setval('memwell.memwell_log_streams_id_seq', 2, true);



SELECT pg_catalog.setval('memwell.models_number_seq', 2, true);



SELECT pg_catalog.setval('memwell.records_key_seq', 8, true);



ALTER TABLE ONLY memwell.access
    ADD CONSTRAINT access_pkey PRIMARY KEY (key);



ALTER TABLE ONLY memwell.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (xid, ordinal);



ALTER TABLE ONLY memwell.followers
    ADD CONSTRAINT followers_pkey PRIMARY KEY (name);



ALTER TABLE ONLY memwell.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (key, version);



ALTER TABLE ONLY memwell.links
    ADD CONSTRAINT links_pkey PRIMARY KEY (source, target, kind);



ALTER TABLE ONLY memwell.memwell_keyvalue
    ADD CONSTRAINT memwell_keyvalue_pkey PRIMARY KEY (key);



ALTER TABLE ONLY memwell.memwell_log_entries
    ADD CONSTRAINT memwell_log_entries_pkey PRIMARY KEY (stream, "position", at);



ALTER TABLE ONLY memwell.memwell_log_entries_2026_11
    ADD CONSTRAINT memwell_log_entries_2026_11_pkey PRIMARY KEY (stream, "position", at);



ALTER TABLE ONLY memwell.memwell_log_entries_2026_12
    ADD CONSTRAINT memwell_log_entries_2026_12_pkey PRIMARY KEY (stream, "position", at);



ALTER TABLE ONLY memwell.memwell_log_entries_2027_01
    ADD CONSTRAINT memwell_log_entries_2027_01_pkey PRIMARY KEY (stream, "position", at);



ALTER TABLE ONLY memwell.memwell_log_entries_2027_02
    ADD CONSTRAINT memwell_log_entries_2027_02_pkey PRIMARY KEY (stream, "position", at);



ALTER TABLE ONLY memwell.memwell_log_entries_default
    ADD CONSTRAINT memwell_log_entries_default_pkey PRIMARY KEY (stream, "position", at);



ALTER TABLE ONLY memwell.memwell_log_streams
    ADD CONSTRAINT memwell_log_streams_id_key UNIQUE (id);



ALTER TABLE ONLY memwell.memwell_log_streams
    ADD CONSTRAINT memwell_log_streams_pkey PRIMARY KEY (name);



ALTER TABLE ONLY memwell.memwell_migrations
    ADD CONSTRAINT memwell_migrations_pkey PRIMARY KEY (component, number);



ALTER TABLE ONLY memwell.models
    ADD CONSTRAINT models_name_key UNIQUE (name);



ALTER TABLE ONLY memwell.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (number);



ALTER TABLE ONLY memwell.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (key);



ALTER TABLE ONLY memwell.vectors
    ADD CONSTRAINT vectors_pkey PRIMARY KEY (key, model);



ALTER TABLE ONLY memwell.vectors_1
    ADD CONSTRAINT vectors_1_pkey PRIMARY KEY (key, model);



ALTER TABLE ONLY memwell.vectors_2
    ADD CONSTRAINT vectors_2_pkey PRIMARY KEY (key, model);



CREATE INDEX links_target ON memwell.links USING btree (target);



CREATE INDEX memwell_keyvalue_expiry ON memwell.memwell_keyvalue USING btree (expires_at) WHERE (expires_at IS NOT NULL);



CREATE INDEX records_conversation ON memwell.records USING btree (tenant_id, COALESCE(user_id, ''::text), COALESCE(session_id, ''::text), created_at, key) WHERE ((session_id IS NOT NULL) OR (signals ~ '^[^	]'::text));



CREATE INDEX records_digest ON memwell.records USING btree (digest);



CREATE INDEX records_expiry ON memwell.records USING btree (expires_at) WHERE (expires_at IS NOT NULL);



CREATE UNIQUE INDEX records_id ON memwell.records USING btree (tenant_id, id);



CREATE INDEX records_metadata ON memwell.records USING gin (metadata jsonb_path_ops);



CREATE INDEX records_owner ON memwell.records USING btree (tenant_id, user_id, created_at, key);



CREATE INDEX records_speaker ON memwell.records USING btree (tenant_id, COALESCE(user_id, ''::text), split_part(signals, '	'::text, 1)) WHERE (signals ~ '^[^	]'::text);



CREATE INDEX records_words ON memwell.records USING gin (words);



ALTER INDEX memwell.memwell_log_entries_pkey ATTACH PARTITION memwell.memwell_log_entries_2026_11_pkey;



ALTER INDEX memwell.memwell_log_entries_pkey ATTACH PARTITION memwell.memwell_log_entries_2026_12_pkey;



ALTER INDEX memwell.memwell_log_entries_pkey ATTACH PARTITION memwell.memwell_log_entries_2027_01_pkey;



ALTER INDEX memwell.memwell_log_entries_pkey ATTACH PARTITION memwell.memwell_log_entries_2027_02_pkey;



ALTER INDEX memwell.memwell_log_entries_pkey ATTACH PARTITION memwell.memwell_log_entries_default_pkey;



ALTER INDEX memwell.vectors_pkey ATTACH PARTITION memwell.vectors_1_pkey;



ALTER INDEX memwell.vectors_pkey ATTACH PARTITION memwell.vectors_2_pkey;



CREATE TRIGGER records_clean AFTER DELETE ON memwell.records REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION memwell.memwell_clean();



CREATE TRIGGER records_clean_vectors AFTER DELETE ON memwell.records REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION memwell.memwell_clean_vectors();




