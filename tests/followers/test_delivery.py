"""Webhooks: nothing is lost, and the changes of one memory arrive in order, whatever fails."""

from __future__ import annotations

import base64
import json
import logging
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from benchmarks.reliability import delivering
from benchmarks.reliability.receiver import Receiver, once_each

from memwell import ConfigError, Corrupt, InvalidInput, Keyring, Memory, NotFound, urls
from memwell.engine import delivering as engine
from memwell.followers.delivery.endpoints import STREAM as ENDPOINTS
from memwell.followers.delivery.sink import Retries
from memwell.followers.delivery.stream import STREAM
from memwell.followers.delivery.webhook import sign
from memwell.network.addresses import is_public
from memwell.registry import open_log
from memwell.security.journal import Receipts
from memwell.testing import run
from memwell.testing.samples import Clock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RETRIES", engine.RETRIES)
    monkeypatch.setattr(engine, "LEASE", engine.LEASE)


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.db'}"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


def test_a_failing_receiver_and_killed_processes_lose_and_disorder_nothing(url: str) -> None:
    outcome = delivering.run(url, 500, kills=2)
    assert (outcome.lost, outcome.disordered, outcome.forged) == (0, 0, 0)
    assert outcome.calls > 650


def test_signatures_are_those_of_the_specification() -> None:
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


class Rig:
    """A memory with a webhook, a receiver that refuses `broken`, and a clock that tests move."""

    def __init__(self, folder: Path, to: Receiver, **options: Any) -> None:
        self.clock, self.to = Clock(), to
        self.memory = Memory(folder / "a.db", embedder=None, clock=self.clock)
        found = self.memory.add_webhook(to.url, allow_private=True, secret=SECRET, **options)
        self.id, to.secret = found.id, SECRET

    def bodies(self) -> list[tuple[str, str]]:
        return [(body["type"], body["data"]["id"]) for body in once_each(self.to.accepted)]


def test_what_is_given_up_waits_for_a_replay_with_all_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RETRIES", Retries(attempts=3, first=10))
    broken = True
    with Receiver(lambda body: (500 if broken and body["data"]["id"] == "bad" else 200, {})) as to:
        rig = Rig(tmp_path, to)
        with rig.memory as memory:
            memory.remember("a", id="bad", user_id="ana")
            memory.remember("b", id="good")
            memory.update("bad", content="c")
            found = memory.deliver()[0]
            assert (found.delivered, found.waiting, found.dead, found.reason) == (1, 2, 0, "HTTP 500")
            assert memory.deliver()[0].waiting == 2, "not due yet"
            for _ in range(2):
                rig.clock.advance(60)
                memory.deliver()
            memory.forget("bad")
            assert memory.deliver()[0].dead == 3, "later changes of the memory join"
            letters = memory.dead_letters(rig.id)
            assert [(one.kind, one.attempts) for one in letters] == [("put", 3), ("put", 0), ("delete", 0)]
            assert memory.webhooks()[0].dead == 3
            broken = False
            assert memory.replay_webhook(rig.id[:5]) == 3
            assert memory.deliver(rig.id)[0].delivered == 3
            assert memory.dead_letters(rig.id) == []
        assert rig.bodies() == [
            ("memory.stored", "good"),
            ("memory.stored", "bad"),
            ("memory.stored", "bad"),
            ("memory.forgotten", "bad"),
        ]


def test_a_receiver_may_ask_to_wait_and_to_end(tmp_path: Path) -> None:
    answers = iter([(503, {"Retry-After": "900"}), (410, {}), (200, {})])
    with Receiver(lambda _: next(answers)) as to:
        rig = Rig(tmp_path, to)
        with rig.memory as memory:
            memory.remember("a", id="a")
            memory.deliver()
            rig.clock.advance(890)
            memory.deliver()
            assert to.calls == 1
            rig.clock.advance(20)
            found = memory.deliver()[0]
            assert to.calls == 2
            rig.clock.advance(timedelta(days=1).total_seconds())
            found = memory.deliver()[0]
            assert found.disabled is not None
            assert "410" in found.disabled
            assert to.calls == 2
            memory.replay_webhook(rig.id)
            assert memory.deliver()[0].delivered == 1
            memory.remove_webhook(rig.id)
            assert memory.webhooks() == []
            with pytest.raises(NotFound):
                memory.dead_letters(rig.id)


def test_private_networks_are_refused_by_address_by_name_and_after_a_redirect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(tmp_path / "a.db", embedder=None) as memory:
        for host in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost"):
            with pytest.raises(InvalidInput, match="private network"):
                memory.add_webhook(f"https://{host}/x")
        for url in (
            "http://example.com/x",
            "https://u:p@example.com",
            "https://",
            "https://example.com/#a",
            "https://ex ample.com",
        ):
            with pytest.raises(InvalidInput, match="webhook"):
                memory.add_webhook(url)
        webhook = memory.add_webhook("https://example.com/x")
        inner = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.168.0.7", 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: inner)
        reason = memory.test_webhook(webhook.id)
        assert reason is not None
        assert "192.168.0.7" in reason
    monkeypatch.undo()
    for address in ("64:ff9b::a00:1", "2002:a00:1::", "100.64.0.1", "0.0.0.0", "224.0.0.1", "fe80::1%eth0"):
        assert not is_public(address)
    assert is_public("93.184.216.34")
    with Receiver() as inside, Receiver(lambda _: (302, {"Location": inside.url})) as to:
        rig = Rig(tmp_path, to)
        with rig.memory as memory:
            assert memory.test_webhook(rig.id) == "HTTP 302"
        assert inside.calls == 0


def test_a_fifo_queue_gets_the_changes_of_a_memory_as_a_group(tmp_path: Path) -> None:
    moto, boto3 = pytest.importorskip("moto"), pytest.importorskip("boto3")
    with moto.mock_aws(), Memory(tmp_path / "a.db", embedder=None) as memory:
        for wrong in ("sqs://", "sqs://eu-west-1", "sqs://eu-west-1/a/b", "sqs://eu-west-1/a?x=1"):
            with pytest.raises(ConfigError):
                memory.add_webhook(wrong)
        memory.add_webhook("sqs://eu-west-1/events.fifo")
        memory.remember(["a", "b"])
        memory.update(memory.list().records[0].id, content="c")
        found = memory.deliver()[0]
        assert (found.delivered, found.reason) == (0, "SQS: AWS.SimpleQueueService.NonExistentQueue")
        queue = boto3.client("sqs", region_name="eu-west-1")
        url = queue.create_queue(QueueName="events.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        while memory.webhooks()[0].waiting:
            memory.deliver()
            time.sleep(0.05)
        asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        messages = queue.receive_message(QueueUrl=url, **asked)["Messages"]
        groups: dict[str, list[int]] = {}
        for message in messages:
            data = json.loads(message["Body"])["data"]
            assert message["MessageAttributes"]["webhook-id"]["StringValue"].endswith(f"_{data['seq']}")
            groups.setdefault(message["Attributes"]["MessageGroupId"], []).append(data["seq"])
        assert sorted(map(len, groups.values())) == [1, 2]
        assert all(seqs == sorted(seqs) for seqs in groups.values())


def test_a_log_gets_whole_records_where_asked_and_secrets_are_shown_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), Receiver() as to:
        rig = Rig(tmp_path, to)
        with rig.memory as memory:
            out = f"sqlite:///{tmp_path / 'out.db'}"
            added = memory.add_webhook(out, records=True)
            assert added.secret is None or added.secret == ""
            memory.remember("Grüße 😀", id="a", user_id="ana")
            memory.deliver()
            shown = [*map(repr, memory.webhooks()), repr(memory.webhooks()), caplog.text]
        entry = run(log := open_log(out), log.read("memwell:events"))[0]
        assert b'"content":"Gr\xc3\xbc\xc3\x9fe' in entry.data
        run(log, log.close())
        assert "content" not in str(to.accepted)
    assert not any(SECRET.removeprefix("whsec_") in text for text in shown)


def test_types_say_what_the_sequence_tells(tmp_path: Path) -> None:
    out = f"sqlite:///{tmp_path}/out.db"
    with Memory(tmp_path / "a.db", embedder=None) as memory:
        memory.add_webhook(out)

        def delivered(steps: Callable[[], object]) -> list[tuple[str, str]]:
            steps()
            memory.deliver()
            log = open_log(out)
            entries = [json.loads(entry.data)["event"] for entry in run(log, log.read(STREAM))]
            run(log, log.trim(STREAM))
            run(log, log.close())
            for event in entries:
                replaced.update({event["data"]["id"]: event["data"].get("supersedes")})
            return [(event["type"], event["data"]["id"]) for event in entries]

        replaced: dict[str, Any] = {}
        assert delivered(lambda: memory.remember("Ana lives in Porto", id="old")) == [
            ("memory.stored", "old")
        ]
        assert delivered(lambda: memory.update("old", tags=["home"])) == [("memory.updated", "old")]
        found = delivered(lambda: memory.remember("Ana lives in Faro", id="new", supersedes="old"))
        assert set(found) == {("memory.stored", "new")}
        assert replaced["new"] == ["old"]
        assert delivered(lambda: memory.forget("old"))[-1] == ("memory.forgotten", "old")


def test_webhooks_of_an_encrypted_memory_are_encrypted_too(tmp_path: Path) -> None:
    keys = [Keyring.generate() for _ in range(2)]
    place, journal = tmp_path / "a.db", f"sqlite:///{tmp_path}/log.db"
    out = f"sqlite:///{tmp_path}/out-of-reach.db"

    def opened(keyring: Keyring | None, store: Path = place) -> Memory:
        return Memory(store, embedder=None, encryption=keyring, receipts=Receipts(log=journal))

    with opened(Keyring(keys[0])) as memory:
        added = memory.add_webhook("https://example.com/hook")
        log = memory.add_webhook(out)
        memory.remember("a", id="a")
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("log.db"))
    secret = base64.b64decode((added.secret or "").removeprefix("whsec_"))
    assert not [text for text in (b"whsec_", secret, b"example.com", b"out-of-reach") if text in stored]
    with opened(Keyring(keys[1], keys[0])) as memory:
        memory.rotate_keys()
    with opened(Keyring(keys[1])) as memory:
        assert [status.delivered for status in memory.deliver(log.id)] == [1]
        assert [one.url for one in memory.webhooks()] == ["https://example.com/hook", urls.shown(out)]
    with opened(None, tmp_path / "plain.db") as memory, pytest.raises(ConfigError, match="no keyring"):
        memory.webhooks()
    side = open_log(journal)
    for entry in run(side, side.read(ENDPOINTS)):
        body = json.loads(entry.data)
        body["sealed"] = body["sealed"][:-8] + (
            "AAAAAAAA" if body["sealed"][-8:] != "AAAAAAAA" else "BBBBBBBB"
        )
        run(side, side.append(ENDPOINTS, [json.dumps(body).encode()]))
        run(side, side.remove(ENDPOINTS, [entry.position]))
    plain = json.dumps(
        {"id": "planted", "url": out, "created_at": "2026-05-01T00:00:00+00:00", "records": True}
    )
    with opened(Keyring(keys[1])) as memory:
        with pytest.raises(Corrupt, match="was changed"):
            memory.deliver()
        for id in (added.id, log.id):
            memory.remove_webhook(id)
        run(side, side.append(ENDPOINTS, [plain.encode()]))
        memory.remember("b")
        (planted,) = memory.deliver()
        assert planted.delivered == 0
        assert "without encryption" in (planted.disabled or "")
    run(side, side.close())
