"""The adapter of sentence-transformers, where that package is installed: it weighs too much for every test run.

The model is a small BERT of random weights with the tokenizer of the local model, saved and loaded as any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memwell.embedders.local import weights
from memwell.errors import ConfigError
from memwell.registry import open_embedder
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance

pytest.importorskip(
    "sentence_transformers", reason="pip install 'memwell[sentence-transformers]' to test its adapter"
)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(weights.ready(None) / "tokenizer.json"), pad_token="[PAD]", unk_token="[UNK]"
    )
    config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    words = models.Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[words, models.Pooling(32)]).save(str(folder / "small"))
    return folder / "small"


class TestSentenceTransformers(EmbedderConformance):
    large = 150

    @pytest.fixture
    def embedder(self, saved: Path) -> Iterator[object]:
        part = open_embedder(f"sentence-transformers:{saved}?device=cpu&threads=1")
        yield part
        run(part, part.close())


def test_it_tells_its_size_and_its_window(saved: Path) -> None:
    part = open_embedder(f"sentence-transformers:{saved}")
    assert (part.dimension, part.window) == (32, 64)


def test_a_model_that_is_not_there_is_an_error_of_configuration() -> None:
    with pytest.raises(ConfigError, match="cannot be loaded"):
        open_embedder("sentence-transformers:/nowhere/at/all")
