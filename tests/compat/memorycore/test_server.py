"""The MCP server, asked by the client of the SDK over stdio, as a host does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from memwell.testing.services.service import free_port

COMMAND = ["-m", "memwell.compat.memorycore.server"]


def test_its_tools_save_find_change_and_delete_over_restarts(tmp_path: Path) -> None:
    environment = {
        "STORAGE_BACKEND": "faiss",
        "STORAGE_PATH": str(tmp_path / "kept"),
        "EMBEDDING_PROVIDER": "none",
        "OBSERVABILITY_METRICS_PORT": str(free_port()),
        "OBSERVABILITY_HEALTH_PORT": str(free_port()),
    }
    server = StdioServerParameters(command=sys.executable, args=COMMAND, env=environment, cwd=tmp_path)

    async def call(session: ClientSession, name: str, **arguments: Any) -> dict[str, Any]:
        done = await session.call_tool(name, arguments)
        assert not done.is_error, done.content
        found = done.structured_content or json.loads(done.content[0].text)  # type: ignore[union-attr]
        return found.get("result", found)  # type: ignore[no-any-return]

    async def first() -> str:
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert sorted(tools) == [
                "delete_memory",
                "get_memory",
                "list_memories",
                "recall_memory",
                "save_memory",
                "search_memories",
                "update_memory",
            ]
            assert "tenant_id" not in json.dumps([tool.input_schema for tool in tools.values()])
            saved = await call(session, "save_memory", content="The café opens at nine", tags=["café"])
            gone = await call(session, "save_memory", content="The café is closed")
            assert (await call(session, "delete_memory", memory_id=gone["memory_id"]))["success"]
            assert not (await call(session, "get_memory", memory_id=gone["memory_id"]))["success"]
            for wrong in ({"query": ""}, {"query": "x", "limit": 0}, {}):
                assert (await session.call_tool("recall_memory", wrong)).is_error
            refused = await session.call_tool("save_memory", {"content": "x", "ttl_days": 1e12})
            assert refused.is_error
            assert "a time to live is more than 0" in str(refused.content)
            return str(saved["memory_id"])

    async def second(id: str) -> None:
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            await call(session, "update_memory", memory_id=id, content="The café opens at ten")
            for tool in ("recall_memory", "search_memories"):
                found = await call(session, tool, query="when does the café open?", tags=["café"])
                assert [one["content"] for one in found["memories"]] == ["The café opens at ten"]
                assert found["memories"][0]["score"] > 0
            kept = (await call(session, "get_memory", memory_id=id))["memory"]
            assert [one["content"] for one in kept["versions"]] == ["The café opens at nine"]
            assert (await call(session, "list_memories", limit=5))["count"] == 1

    asyncio.run(second(asyncio.run(first())))


def test_a_wrong_setting_ends_it_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=tmp_path,
        env={"STORAGE_BACKEND": "mongo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("memorycore: STORAGE_BACKEND is chromadb, faiss, memory or a URL")
    assert done.stderr.count("\n") == 1
