"""Embedding services on loopback that speak the wire format of the real ones, and fail on command.

Each checks a request as strictly as the service's reference says, and gives vectors made of the texts' words, so that
the suites can tell texts apart. `plan` holds what goes wrong with the next requests, in order.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

DIMENSION = 64
KEY = "sk-very-secret-0123456789"


class Refused(Exception):
    """A request that the service answers with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Service:
    """One running server. `answer(path, headers, body)` gives the reply or raises `Refused`."""

    def __init__(self, answer: Callable[[str, dict[str, str], Any], Any]) -> None:
        self.answer = answer
        self.plan: deque[str] = deque()
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def sizes(self) -> list[int]:
        """How many texts each request held."""
        return [len(texts_of(body)) for _, _, body in self.requests]


@contextmanager
def serving(answer: Callable[[str, dict[str, str], Any], Any]) -> Iterator[Service]:
    """A service until the end of the block."""
    service = Service(answer)
    service._thread.start()
    try:
        yield service
    finally:
        service.released.set()
        service._server.shutdown()
        service._server.server_close()
        service._thread.join()


def texts_of(body: Any) -> list[str]:
    found: list[str] = body.get("input", body.get("texts", body.get("inputs")))
    return found


def vector(text: str, dimension: int = DIMENSION) -> list[float]:
    """A bag of words and characters, not of unit length."""
    found = np.zeros(dimension)
    for at, word in enumerate([text, *text.lower().split()]):
        seed = int.from_bytes(word.encode()[:64].ljust(8, b"\0"), "big") % 2**63 + len(word)
        found += np.random.default_rng(seed).standard_normal(dimension) * (3 if at == 0 else 1)
    return [round(float(number), 6) for number in found]


# ------------------------------------------------------------------------------------------------- services


def openai(path: str, headers: dict[str, str], body: Any) -> Any:
    if path != "/v1/embeddings":
        raise Refused(
            404, {"error": {"message": f"Invalid URL (POST {path})", "type": "invalid_request_error"}}
        )
    if headers.get("authorization") != f"Bearer {KEY}":
        message = f"Incorrect API key provided: {headers.get('authorization', '').removeprefix('Bearer ')}."
        raise Refused(401, {"error": {"message": message, "code": "invalid_api_key"}})
    if body["model"] == "unknown":
        raise Refused(
            404, {"error": {"message": "The model `unknown` does not exist", "code": "model_not_found"}}
        )
    texts = body["input"]
    if not 0 < len(texts) <= 2048 or any(text == "" for text in texts):
        raise Refused(400, {"error": {"message": "'$.input' is invalid.", "type": "invalid_request_error"}})
    if any(len(text.encode()) > 8191 for text in texts):  # a token has a byte at least
        raise Refused(400, {"error": {"message": "This model's maximum context length is 8192 tokens"}})
    rows = [vector(text, body.get("dimensions", DIMENSION)) for text in texts]
    encoded: list[Any] = rows
    if body.get("encoding_format") == "base64":
        encoded = [base64.b64encode(np.asarray(row, "<f4").tobytes()).decode() for row in rows]
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(encoded)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}


def cohere(path: str, headers: dict[str, str], body: Any) -> Any:
    if path != "/v2/embed":
        raise Refused(404, {"message": "page not found"})
    if headers.get("authorization") != f"Bearer {KEY}":
        raise Refused(401, {"message": "invalid api token"})
    if body.get("input_type") not in ("search_document", "search_query"):
        raise Refused(400, {"message": "input_type parameter is required"})
    if not 0 < len(body["texts"]) <= 96 or body["embedding_types"] != ["float"]:
        raise Refused(400, {"message": "invalid request: total number of texts must be at most 96"})
    assert body["truncate"] == "END"
    size = body.get("output_dimension", DIMENSION)
    rows = [vector(text, size) for text in body["texts"]]
    if body["input_type"] == "search_query":  # not the same as the document's, but near to it
        rows = [
            [one + other / 4 for one, other in zip(row, vector("question", size), strict=True)]
            for row in rows
        ]
    return {
        "id": "1",
        "embeddings": {"float": rows},
        "texts": body["texts"],
        "meta": {"api_version": {"version": "2"}},
    }


def cohere_rerank(path: str, headers: dict[str, str], body: Any) -> Any:
    if path != "/v2/rerank":
        raise Refused(404, {"message": "page not found"})
    if headers.get("authorization") != f"Bearer {KEY}":
        raise Refused(401, {"message": "invalid api token"})
    if not body.get("query") or not 0 < len(body["documents"]) <= 1000:
        raise Refused(400, {"message": "invalid request: query and documents must not be empty"})
    words = {*body["query"].lower().split()}
    scores = [len(words & {*text.lower().split()}) / len(words) for text in body["documents"]]
    order = sorted(range(len(scores)), key=lambda at: -scores[at])[: body["top_n"]]
    results = [{"index": at, "relevance_score": scores[at]} for at in order]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    return {"id": "1", "results": results, "meta": meta}


def _answer(prompt: str, text: str) -> str:
    """What a language model says to the prompts of `memwell.policies.llm`."""
    if "JSON" in prompt:
        return f'Here it is: {{"topic": "{text.split()[-1]}", "importance": 0.9, "dates": ["2026-05-01"], "mood": 1}}'
    return f"  {len(text.split(chr(10) * 2))} notes, in short.\n"


def openai_chat(path: str, headers: dict[str, str], body: Any) -> Any:
    if path != "/v1/chat/completions":
        raise Refused(404, {"error": {"message": "Invalid URL"}})
    if headers.get("authorization") != f"Bearer {KEY}":
        raise Refused(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    message = {"role": "assistant", "content": _answer(system["content"], user["content"])}
    return {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def anthropic_messages(path: str, headers: dict[str, str], body: Any) -> Any:
    if path != "/v1/messages":
        raise Refused(404, {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}})
    if headers.get("x-api-key") != KEY:
        raise Refused(
            401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
        )
    assert headers["anthropic-version"] == "2023-06-01"
    assert body["max_tokens"] > 0
    (user,) = body["messages"]
    text = _answer(body["system"], user["content"])
    return {
        "id": "1",
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
    }


def ollama(path: str, headers: dict[str, str], body: Any) -> Any:
    if path != "/api/embed":
        raise Refused(404, "404 page not found")
    if body["model"] == "unknown":
        raise Refused(404, {"error": 'model "unknown" not found, try pulling it first'})
    assert body["truncate"] is True
    rows = [vector(text) for text in body["input"]]
    return {"model": body["model"], "embeddings": rows, "total_duration": 1, "prompt_eval_count": 8}


def huggingface(path: str, headers: dict[str, str], body: Any) -> Any:
    if path == "/embed":
        if len(body["inputs"]) > 32:
            raise Refused(
                422, {"error": "batch size 33 > maximum allowed batch size 32", "error_type": "Validation"}
            )
    elif not path.endswith("/pipeline/feature-extraction"):
        raise Refused(404, {"error": "Not Found"})
    if any(text == "" for text in body["inputs"]):
        raise Refused(413, {"error": "`inputs` cannot be empty", "error_type": "Validation"})
    assert body["truncate"] is True
    return [vector(text) for text in body["inputs"]]


# -------------------------------------------------------------------------------------------------- failures


def _truncated(reply: Any) -> Any:
    """The reply without the vector of the last text."""
    if isinstance(reply, list):
        return reply[:-1]
    if "data" in reply:
        return reply | {"data": [item for item in reply["data"] if item["index"] != len(reply["data"]) - 1]}
    if "results" in reply:
        return reply | {"results": reply["results"][:-1]}
    rows = reply["embeddings"]
    return reply | {"embeddings": rows[:-1] if isinstance(rows, list) else {"float": rows["float"][:-1]}}


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(raw)
            service.requests.append((self.path, headers, body))
            fault = service.plan.popleft() if service.plan else ""
            try:
                reply = service.answer(self.path, headers, body)
            except Refused as refused:
                return self.send(refused.status, refused.body)
            return self.fail(fault, reply)

        def fail(self, fault: str, reply: Any) -> None:
            if fault == "rate":
                return self.send(429, {"error": {"message": "Rate limit reached"}}, {"Retry-After": "0.01"})
            if fault == "date":
                later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 5))
                return self.send(429, {"message": "slow down"}, {"Retry-After": later})
            if fault == "quota":
                error = {"message": "You exceeded your current quota", "code": "insufficient_quota"}
                return self.send(429, {"error": error})
            if fault.isdigit():
                return self.send(int(fault), {"error": f"status {fault}"})
            if fault.startswith("200 "):  # a gateway that answers 200 with an error in it
                return self.send(200, {"error": {"message": "upstream is busy", "code": int(fault[4:])}})
            if fault == "page":
                return self.send(200, "<html>a proxy</html>")
            if fault == "hang":
                service.released.wait(20)
            if fault == "long":
                return self.send(429, {"message": "come back tomorrow"}, {"Retry-After": "86400"})
            if fault == "drip":
                return self.drip()
            if fault == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                self.wfile.write(b'{"data": [')
                self.close_connection = True
                return None
            return self.send(200, _truncated(reply) if fault == "truncated" else reply)

        def drip(self) -> None:
            """A byte now and then, for ever."""
            self.close_connection = True
            try:
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                while not service.released.wait(0.01):
                    self.wfile.write(b" ")
            except OSError:  # the client has given up
                return

        def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            try:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)
            except OSError:  # the client has given up
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            return

    return Handler
