"""The embedders behind HTTP APIs against loopback services that speak the real wire format."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
from tests.embedders import services
from tests.embedders.services import DIMENSION, KEY, Service, serving

from memwell import Memory
from memwell.embedders.cohere import Cohere
from memwell.embedders.huggingface import HuggingFace
from memwell.embedders.ollama import Ollama
from memwell.embedders.openai import OpenAI
from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import ConfigError, EmbeddingError, InvalidInput, TimedOut, Unavailable
from memwell.registry import open_embedder
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance

Maker = Callable[..., RemoteEmbedder]
CASES = {
    "openai": (OpenAI, services.openai, "/v1", "test-model"),
    "cohere": (Cohere, services.cohere, "/v2", "test-model"),
    "ollama": (Ollama, services.ollama, "", "test-model"),
    "huggingface": (HuggingFace, services.huggingface, "", "test/model"),
}


@pytest.fixture(params=CASES)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    with serving(CASES[request.param][1]) as found:
        yield found


@pytest.fixture
def making(request: pytest.FixtureRequest, service: Service) -> Iterator[Maker]:
    kind, _, path, model = CASES[request.node.callspec.params["service"]]
    made: list[RemoteEmbedder] = []

    def make(name: str = model, **options: Any) -> RemoteEmbedder:
        options = {"key": KEY, "base_url": service.url + path, **options}
        part = kind(name, **options)
        part._retry._first = 0.01  # seconds of the first wait
        made.append(part)
        return part

    yield make
    for part in made:
        run(part, part.close())


class TestRemoteEmbedders(EmbedderConformance):
    """Over one service: the others differ in requests and answers, of which the tests below are."""

    large = 1_100

    @pytest.fixture(params=["openai"])
    def service(self, request: pytest.FixtureRequest) -> Iterator[Service]:
        with serving(CASES[request.param][1]) as found:
            yield found

    @pytest.fixture
    def embedder(self, making: Maker) -> RemoteEmbedder:
        return making()


# ------------------------------------------------------------------------------------------------- batches


def test_many_texts_go_in_several_requests_within_the_limit(making: Maker, service: Service) -> None:
    part = making(batch=10)
    texts = [f"text number {at}" for at in range(37)]
    vectors = run(part, part.embed(texts))
    assert sorted(service.sizes()) == [7, 10, 10, 10]
    singles = np.concatenate([run(part, part.embed([text])) for text in texts])
    assert np.allclose(vectors, singles, atol=1e-6)


def test_a_request_never_holds_more_tokens_than_the_service_takes(
    making: Maker, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RemoteEmbedder, "max_tokens", 100)
    monkeypatch.setattr(OpenAI, "max_tokens", 100)
    part = making()
    run(part, part.embed(["x" * 160] * 5))  # 41 tokens each
    assert sorted(service.sizes()) == [1, 2, 2]


def test_texts_longer_than_the_window_are_cut_at_a_whole_character(making: Maker, service: Service) -> None:
    part = making(window=10)
    run(part, part.embed(["é" * 100, "short"]))
    sent = services.texts_of(service.requests[0][2])
    assert sent[0] == "é" * 20
    assert sent[1] == "short"


# ------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize("fault", ["rate", "date", "500", "503", "200 429", "truncated", "page", "cut"])
def test_what_may_pass_is_tried_again(making: Maker, service: Service, fault: str) -> None:
    part = making(dimension=DIMENSION)
    service.plan.extend([fault, fault])
    vectors = run(part, part.embed(["one", "two"]))
    assert vectors.shape == (2, DIMENSION)
    assert len(service.requests) == 3


@pytest.mark.parametrize("fault", ["rate", "500", "truncated", "cut"])
def test_what_does_not_pass_is_unavailable_and_gives_no_vectors(
    making: Maker, service: Service, fault: str
) -> None:
    part = making(attempts=2)
    service.plan.extend([fault] * 2)
    with pytest.raises(Unavailable) as caught:
        run(part, part.embed(["one", "two"]))
    assert len(service.requests) == 2
    if fault == "rate":
        assert caught.value.retry_after == 0.01


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_service_that_does_not_answer_is_unavailable_after_the_timeout(
    making: Maker, service: Service, fault: str
) -> None:
    part = making(timeout=0.1, attempts=1)
    service.plan.append(fault)
    with pytest.raises(TimedOut, match=r"0\.1 seconds"):
        run(part, part.embed(["one"]))


def test_a_service_that_asks_to_wait_for_long_is_not_waited_for(making: Maker, service: Service) -> None:
    part = making()
    service.plan.append("long")
    with pytest.raises(Unavailable) as caught:
        run(part, part.embed(["one"]))
    assert caught.value.retry_after == 86_400
    assert len(service.requests) == 1


def test_a_service_that_is_not_there_is_unavailable(making: Maker) -> None:
    part = making(base_url="http://127.0.0.1:9", attempts=1)
    with pytest.raises(Unavailable, match="cannot reach") as caught:
        run(part, part.embed(["one"]))
    assert isinstance(caught.value.__cause__, httpx2.ConnectError)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400", EmbeddingError),
        ("401", ConfigError),
        ("404", ConfigError),
        ("405", ConfigError),
        ("307", ConfigError),
        ("422", EmbeddingError),
    ],
)
def test_what_the_service_refuses_is_not_tried_again(
    making: Maker, service: Service, status: str, error: type[Exception]
) -> None:
    part = making()
    service.plan.append(status)
    with pytest.raises(error):
        run(part, part.embed(["one"]))
    assert len(service.requests) == 1


def test_an_error_in_an_answer_that_says_200_is_reported(making: Maker, service: Service) -> None:
    part = making()
    service.plan.append("200 400")
    with pytest.raises(EmbeddingError, match="upstream is busy"):
        run(part, part.embed(["one"]))
    assert len(service.requests) == 1


def test_a_vector_given_twice_is_not_taken_for_two() -> None:
    def twice(path: str, headers: dict[str, str], body: Any) -> Any:
        reply = services.openai(path, headers, body)
        return reply | {"data": [*reply["data"], reply["data"][0]]}

    with serving(twice) as service:
        part = OpenAI("test-model", key=KEY, base_url=f"{service.url}/v1", attempts=1)
        with pytest.raises(Unavailable, match="3 vectors for 2 texts"):
            run(part, part.embed(["one", "two"]))
        run(part, part.close())


def test_one_failing_request_of_several_fails_the_call(making: Maker, service: Service) -> None:
    part = making(batch=1)
    service.plan.extend(["", "400"])
    with pytest.raises(EmbeddingError):
        run(part, part.embed(["one", "two", "three"]))


def test_vectors_of_another_length_are_refused(making: Maker) -> None:
    part = making(dimension=8)
    with pytest.raises(EmbeddingError, match="dimension 64, not 8"):
        run(part, part.embed(["one"]))


def test_no_dimension_is_learnt_from_an_answer_that_does_not_fit_together() -> None:
    asked = itertools.count()

    def once(path: str, headers: dict[str, str], body: Any) -> Any:
        reply = services.openai(path, headers, body)
        if next(asked) == 0:
            reply["data"][0]["embedding"] = reply["data"][0]["embedding"][:3]
        return reply

    with serving(once) as service:
        part = OpenAI("test-model", key=KEY, base_url=f"{service.url}/v1", batch=1)
        with pytest.raises(EmbeddingError, match=r"dimension (3, not 64|64, not 3)"):
            run(part, part.embed(["one", "two", "three"]))
        assert run(part, part.embed(["one", "two", "three"])).shape == (3, DIMENSION)
        run(part, part.close())


def test_a_text_alone_is_no_batch(making: Maker) -> None:
    part = making()
    with pytest.raises(InvalidInput):
        run(part, part.embed("hello"))


# ------------------------------------------------------------------------------------- keys, names, options


def test_the_key_is_sent_and_never_shown(
    making: Maker, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    part = making()
    run(part, part.embed(["one"]))
    assert service.requests[0][1]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(part) + caplog.text


def test_a_refused_key_is_an_error_of_configuration_that_does_not_show_it() -> None:
    with serving(services.openai) as service:
        part = OpenAI("test-model", key="wrong-key", base_url=f"{service.url}/v1")
        with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
            run(part, part.embed(["one"]))
        run(part, part.close())
    assert "wrong-key" not in str(caught.value)


def test_an_exhausted_quota_is_not_tried_again() -> None:
    with serving(services.openai) as service:
        part = OpenAI("test-model", key=KEY, base_url=f"{service.url}/v1")
        service.plan.append("quota")
        with pytest.raises(EmbeddingError, match="quota"):
            run(part, part.embed(["one"]))
        run(part, part.close())
    assert len(service.requests) == 1


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "COHERE_API_KEY", "CO_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("openai:", "cohere:", "huggingface:BAAI/bge-small-en-v1.5"):
        with pytest.raises(ConfigError, match="needs an API key"):
            open_embedder(name)
    with pytest.raises(ConfigError, match="MY_KEY"):
        open_embedder("openai:?key_env=MY_KEY")
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(services.openai) as service:
        part = open_embedder(f"openai:some-model?key_env=MY_KEY&base_url={service.url}/v1&dimension=64")
        assert run(part, part.embed(["one"])).shape == (1, 64)
        run(part, part.close())


@pytest.mark.parametrize("key", [f"{KEY}é", f"{KEY}\nX-More: 1", f"{KEY}\x7f"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        OpenAI()
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_end_of_the_line_that_a_key_was_read_from_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    with serving(services.openai) as service:
        part = OpenAI("test-model", base_url=f"{service.url}/v1")
        run(part, part.embed(["one"]))
        run(part, part.close())


def test_an_empty_key_keeps_that_of_the_environment_from_another_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(services.ollama) as service:
        part = OpenAI("test-model", key="", base_url=service.url)
        with pytest.raises(ConfigError, match="HTTP 404"):
            run(part, part.embed(["one"]))
        run(part, part.close())
        assert "authorization" not in service.requests[0][1]
    with pytest.raises(ConfigError, match="needs an API key"):
        OpenAI(key="")


@pytest.mark.parametrize(
    "base",
    [
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://h:0x",
        "http://h/v1?version=1",
        "http://h:99999",
        "h",
    ],
)
def test_a_base_url_that_cannot_be_asked_is_refused_at_once(base: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        OpenAI("test-model", base_url=base)


@pytest.mark.parametrize("base", ["http://ann:secret@host/v1", "http://ann:sec/ret@host", "http://:secret@h"])
def test_a_base_url_with_a_password_is_refused_and_not_shown(base: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenAI("test-model", base_url=base)
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "options", [{"batch": 0}, {"batch": -1}, {"dimension": 0}, {"window": 0}, {"timeout": 0}, {"attempts": 0}]
)
def test_numbers_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        OpenAI("test-model", key=KEY, **options)
    ((name, number),) = options.items()
    with pytest.raises(ConfigError):
        open_embedder(f"ollama:test-model?{name}={number}")


def test_names_and_lengths_of_known_models_need_no_call() -> None:
    assert OpenAI(key=KEY).dimension == 1536
    assert OpenAI("text-embedding-3-large", key=KEY).dimension == 3072
    assert Cohere("embed-english-light-v3.0", key=KEY).dimension == 384
    shortened = OpenAI(key=KEY, dimensions=256)
    assert (shortened.model, shortened.dimension) == ("text-embedding-3-small@256", 256)
    assert OpenAI("who-knows", key=KEY).dimension is None
    with pytest.raises(ConfigError, match="cannot shorten"):
        Ollama("nomic-embed-text", dimensions=64)
    with pytest.raises(ConfigError, match="has no option"):
        open_embedder("ollama:nomic-embed-text?colour=red")
    with pytest.raises(ConfigError, match="needs a model"):
        open_embedder("huggingface:")


def test_shortened_vectors_are_asked_for() -> None:
    with serving(services.openai) as service:
        part = OpenAI("test-model", key=KEY, base_url=f"{service.url}/v1", dimensions=16)
        assert run(part, part.embed(["one"])).shape == (1, 16)
        run(part, part.close())
    assert service.requests[0][2]["dimensions"] == 16


def test_openai_itself_is_asked_for_base64(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(services.openai) as service:
        monkeypatch.setattr(OpenAI, "address", f"{service.url}/v1")
        part = OpenAI("test-model", key=KEY)
        plain = OpenAI("test-model", key=KEY, base_url=f"{service.url}/v1/")
        first, second = run(part, part.embed(["one"])), run(plain, plain.embed(["one"]))
        for each in (part, plain):
            run(each, each.close())
    assert service.requests[0][2]["encoding_format"] == "base64"
    assert np.allclose(first, second, atol=1e-6)


def test_cohere_tells_documents_and_queries_apart() -> None:
    with serving(services.cohere) as service:
        part = Cohere("test-model", key=KEY, base_url=f"{service.url}/v2")
        run(part, part.embed(["one"]))
        run(part, part.embed(["one"], kind="query"))
        run(part, part.close())
    assert [body["input_type"] for _, _, body in service.requests] == ["search_document", "search_query"]
    assert part.symmetric is False


def test_models_get_the_words_that_they_want_before_a_text() -> None:
    with serving(services.ollama) as service:
        part = Ollama("nomic-embed-text:latest", base_url=service.url)
        run(part, part.embed(["tea"]))
        run(part, part.embed(["tea"], kind="query"))
        plain = Ollama("nomic-embed-text", base_url=service.url, document_prefix="", query_prefix="")
        run(plain, plain.embed(["tea"]))
        for each in (part, plain):
            run(each, each.close())
    sent = [services.texts_of(body)[0] for _, _, body in service.requests]
    assert sent == ["search_document: tea", "search_query: tea", "tea"]
    assert (part.symmetric, plain.symmetric) == (False, True)
    assert part.model == "nomic-embed-text:latest"


def test_other_words_before_a_text_make_another_model() -> None:
    """For the store and the caches: their vectors cannot be compared."""
    names = [
        Ollama("e5-small", **words).model
        for words in (
            {},
            {"document_prefix": "passage: "},
            {"document_prefix": "text: "},
            {"query_prefix": "text: "},
            {"document_prefix": "", "query_prefix": ""},
        )
    ]
    assert names[0] == names[1] == "e5-small"
    assert len(set(names)) == 4
    assert names[2] == Ollama("e5-small", document_prefix="text: ").model


@pytest.mark.parametrize("form", ["127.0.0.1:{port}", "http://127.0.0.1:{port}", "0.0.0.0:{port}"])
def test_ollama_is_found_where_its_variable_says(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    with serving(services.ollama) as service:
        monkeypatch.setenv("OLLAMA_HOST", form.format(port=service.url.rpartition(":")[2]))
        part = open_embedder("ollama:test-model")
        assert run(part, part.embed(["one"])).shape == (1, DIMENSION)
        run(part, part.close())


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("host", "http://host:11434"),
        (":8000", "http://127.0.0.1:8000"),
        ("[::]", "http://127.0.0.1:11434"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("https://host", "https://host"),
        ("http://host/ollama/", "http://host/ollama"),
    ],
)
def test_the_variable_of_ollama_is_read_as_ollama_reads_it(
    monkeypatch: pytest.MonkeyPatch, given: str, address: str
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", given)
    assert Ollama()._base == address


def test_a_port_of_ollama_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "host:http")
    with pytest.raises(ConfigError, match="OLLAMA_HOST"):
        Ollama()


def test_hugging_face_is_asked_at_the_models_own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(services.huggingface) as service:
        monkeypatch.setattr(HuggingFace, "address", service.url)
        part = HuggingFace("BAAI/bge-small-en-v1.5", key=KEY)
        run(part, part.embed(["tea"]))
        run(part, part.close())
    assert service.requests[0][0] == "/models/BAAI/bge-small-en-v1.5/pipeline/feature-extraction"


def test_a_client_handed_in_is_used_and_stays_open() -> None:
    class Mine(httpx2.AsyncClient):
        pass

    with serving(services.ollama) as service:
        client = Mine()
        part = Ollama("test-model", base_url=service.url, client=client)
        run(part, part.embed(["one"]))
        run(part, part.close())
        assert not client.is_closed
        run(part, client.aclose())


def test_a_memory_remembers_and_recalls_with_a_remote_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(services.openai) as service:
        name = f"openai:test-model?base_url={service.url}/v1&attempts=1"
        with Memory("memory://", embedder=name) as memory:
            memory.remember(["the cat sleeps on the sofa", "rain is expected on Monday"])
            (hit, *_) = memory.recall("the cat sleeps on the sofa", mode="semantic")
            assert hit.record.content.startswith("the cat")
            service.plan.extend(["500"] * 2)
            kept = memory.remember("the embedder is down, this stays")
            assert not kept.embedded
            service.plan.clear()
            memory.repair()
            assert memory.get(kept.id).embedded
