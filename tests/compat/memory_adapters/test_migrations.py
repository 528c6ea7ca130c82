"""The SQL scripts, run by the real psql: tables, indexes, partitions, triggers and functions that work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memwell.compat.memory_adapters.api import MemoryAPI
from memwell.compat.memory_adapters.migrations import scripts
from memwell.compat.memory_adapters.tables import TABLES

Ask = Callable[[str], str]


@pytest.fixture
def ask(psql: Callable[..., str], postgres_config: dict[str, Any]) -> Ask:
    """Runs SQL after the scripts, which psql has run twice."""
    schema = postgres_config["schema"]
    files = [part for script in scripts() for part in ("-f", str(script))]
    psql("-c", f"CREATE SCHEMA {schema}", *files, *files, schema=schema)
    return lambda sql: psql("-c", sql, schema=schema)


def test_the_command_gives_the_scripts_to_psql(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "memwell.compat.memory_adapters.migrations", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    names = [
        "001_create_memory_tables.sql",
        "002_add_memory_indexes.sql",
        "003_add_memory_partitions.sql",
    ]
    assert sorted(path.name for path in Path(run()).glob("*.sql")) == names
    copied = tmp_path / "infra" / "migrations"
    assert run(str(copied)) == str(copied)
    assert sorted(path.name for path in copied.iterdir()) == names


def test_the_adapter_writes_into_the_tables_of_the_scripts(ask: Ask, postgres_config: dict[str, Any]) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
    before = ask(tables)
    with MemoryAPI(None, {**postgres_config, "migrate": "off"}, {"dimension": 2}) as api:
        api.set_context("user", {"step": 1}, ttl=60)
        api.append_event("user", {"n": 1})
        api.write_flow_run_history("flow", "run", {"status": "completed"})
        api.write_task_output("task", {"ok": True})
        api.write_audit_entry("task", "task", "written")
        api.index_embedding("doc", [1, 0])
    assert ask(tables) == before
    for table in TABLES:
        assert ask(f"SELECT count(*) FROM {table}") == "1", table
    assert ask("SELECT ttl_seconds, expires_at > now() FROM memory_context") == "60|t"
    assert ask("SELECT events -> 0 -> 'event' FROM get_context_with_events('user')") == '{"n": 1}'
    assert ask("SELECT * FROM get_context_stats()") == "1|1|0|0|1"
    assert ask("SELECT count(*), bool_and(index_bytes > 0) FROM get_memory_usage_stats()") == "6|t"
    assert ask("SELECT count(*) FROM get_memory_usage_stats() WHERE row_count = 1 AND table_bytes > 0") == "6"
    ask("SELECT refresh_flow_run_stats()")
    assert ask("SELECT flow_id, entries, runs, completed, failed FROM flow_run_stats") == "flow|1|1|1|0"


def test_rows_are_in_the_partition_of_their_month_and_old_months_are_dropped(ask: Ask) -> None:
    at = "date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
    insert = (
        "INSERT INTO audit_log (entity_type, entity_id, action, created_at) VALUES ('t', '{0}', 'a', {1})"
    )
    ask(insert.format("now", "now()"))
    assert ask("SELECT count(*) FROM audit_log_default") == "0", "this month and the next three are there"
    for months in (20, 12, 2, -9):
        ask(insert.format(months, f"{at} - interval '{months} months'"))
    assert ask("SELECT count(*) FROM audit_log_default") == "4"
    assert ask("SELECT * FROM maintain_partitions()") == "4|1"
    assert ask("SELECT count(*) FROM audit_log_default") == "0"
    assert ask("SELECT string_agg(entity_id, ' ' ORDER BY id) FROM audit_log") == "now 12 2 -9"
    first = "SELECT count(*) FROM audit_log_{0} WHERE entity_id = 'edge'"
    month = ask("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")
    ask(insert.format("edge", at))
    assert ask(first.format(month)) == "1", "months begin at midnight of UTC"
    ask("SET timezone = 'Asia/Tokyo'; SELECT create_monthly_partition('memory_events', '2031-05-01')")
    assert "2031-05-01 00:00:00+00" in ask(
        "SET timezone = 'UTC'; SELECT bounds FROM memory_partition_info WHERE partition_name = 'memory_events_2031_05'"
    )
    assert ask("SELECT create_monthly_partition('memory_events', '2031-05-20')") == "f"


def test_old_and_expired_data_is_removed_and_the_rest_stays(ask: Ask) -> None:
    for name, ttl in (("gone", "1"), ("kept", "3600"), ("forever", "NULL")):
        ask(f"SELECT set_memory_context('{name}', '{{}}', {ttl})")
        ask(f"SELECT append_memory_event('{name}', 'e', '{{}}')")
    ask("UPDATE memory_context SET expires_at = now() - interval '8 days' WHERE context_id = 'gone'")
    ask("UPDATE memory_context SET created_at = now() - interval '2 years'")
    for age in (10, 100):
        ask(
            "INSERT INTO flow_run_history (flow_id, run_id, data, created_at)"
            f" VALUES ('f', 'r', '{{}}', now() - interval '{age} days')"
        )
    removed = "SELECT string_agg(table_name || ' ' || deleted, ', ') FROM cleanup_old_data()"
    assert ask(removed) == "flow_run_history 1, audit_log 0, memory_context 1"
    assert ask("SELECT string_agg(context_id, ' ' ORDER BY context_id) FROM memory_events") == "forever kept"
    ask("UPDATE memory_context SET expires_at = now() WHERE context_id = 'kept'")
    assert ask("SELECT cleanup_expired_context()") == "1"
    assert ask("SELECT context_id FROM memory_events") == "forever"


def test_triggers_note_the_time_of_a_change(ask: Ask) -> None:
    rows = {
        "flow_run_history": "(flow_id, run_id, data) VALUES ('f', 'r', '{}')",
        "task_outputs": "(task_id, output) VALUES ('t', '{}')",
        "memory_context": "(context_id, context_data) VALUES ('c', '{}')",
        "vector_embeddings": "(embedding_id, embedding_vector) VALUES ('e', '{1,0}')",
    }
    for table, values in rows.items():
        ask(f"INSERT INTO {table} {values}")
        assert ask(f"UPDATE {table} SET id = id RETURNING updated_at > created_at") == "t", table


@pytest.mark.parametrize("extension", ["with", "without"])
def test_similar_embeddings_are_found_in_sql_with_and_without_pgvector(
    ask: Ask, psql: Callable[..., str], postgres_config: dict[str, Any], extension: str
) -> None:
    body = "SELECT prosrc LIKE '%.vector%' FROM pg_proc WHERE oid = 'embedding_similarity'::regproc"
    if extension == "without":
        script = scripts()[0].read_text("utf-8").replace("'vector'", "'absent'")
        psql("-c", script, schema=postgres_config["schema"])
    assert ask(body) == ("t" if extension == "with" else "f")
    for name, vector in (("a", "1,0"), ("b", "3,4"), ("c", "-1,0"), ("zero", "0,0"), ("long", "1,0,0")):
        ask(
            f"INSERT INTO vector_embeddings (embedding_id, embedding_vector) VALUES ('{name}', '{{{vector}}}')"
        )

    def found(arguments: str) -> str:
        return ask(
            "SELECT string_agg(embedding_id || ' ' || round(similarity::numeric, 3), ', ')"
            f" FROM search_similar_embeddings('{{1,0}}'{arguments})"
        )

    assert found("") == "a 1.000"
    assert found(", 0.5") == "a 1.000, b 0.600"
    assert found(", NULL, 3") == "a 1.000, b 0.600, zero 0.000"
    assert found(", NULL, 2, 'default', 'dotproduct'") == "b 3.000, a 1.000"
    assert found(", NULL, 2, 'default', 'euclidean'") == "a 1.000, zero 0.500"


def test_the_usual_queries_use_the_indexes(ask: Ask) -> None:
    queries = {
        "SELECT * FROM flow_run_history WHERE flow_id = 'f' ORDER BY id DESC": "idx_flow_run_history_flow",
        "SELECT * FROM memory_events_default WHERE context_id = 'c' ORDER BY id": "context_id_id_idx",
        "SELECT * FROM task_outputs WHERE metadata @> '{\"a\": 1}'": "idx_task_outputs_metadata",
        "SELECT * FROM memory_context WHERE expires_at <= now()": "idx_memory_context_expires",
    }
    for query, index in queries.items():
        plan = ask(f"SET enable_seqscan = off; SET enable_sort = off; EXPLAIN {query}")
        assert index in plan, plan
