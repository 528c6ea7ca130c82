"""BERT with mean pooling in plain numpy and float64, straight from the safetensors: the reference of the tests."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

HEADS, LAYERS, WINDOW = 12, 6, 256
erf = np.vectorize(math.erf)


class NumpyBert:
    """One text at a time, no padding, nothing fused."""

    def __init__(self, folder: Path) -> None:
        raw = (folder / "model.safetensors").read_bytes()
        start = 8 + int.from_bytes(raw[:8], "little")
        self.weights = {}
        for name, entry in json.loads(raw[8:start]).items():
            if entry.get("dtype") == "F32":
                a, b = entry["data_offsets"]
                array = np.frombuffer(raw[start + a : start + b], "<f4")
                self.weights[name] = array.reshape(entry["shape"]).astype(np.float64)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(WINDOW)

    def embed(self, text: str) -> Any:
        ids = self.tokenizer.encode(text).ids
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            x = self.layer(x, f"encoder.layer.{layer}")
        pooled = x.mean(axis=0)
        return pooled / np.linalg.norm(pooled)

    def layer(self, x: Any, name: str) -> Any:
        q, k, v = (
            self.dense(x, f"{name}.attention.self.{part}").reshape(len(x), HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attended = scores / scores.sum(axis=-1, keepdims=True) @ v
        attended = attended.transpose(1, 0, 2).reshape(len(x), -1)
        out = self.dense(attended, f"{name}.attention.output.dense")
        x = self.norm(x + out, f"{name}.attention.output.LayerNorm")
        wide = self.dense(x, f"{name}.intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / math.sqrt(2)))
        return self.norm(x + self.dense(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def dense(self, x: Any, name: str) -> Any:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: Any, name: str) -> Any:
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        scaled = (x - mean) / np.sqrt(variance + 1e-12)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
