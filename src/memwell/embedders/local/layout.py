"""What the files of a sentence-embedding model say about it: pooling, prefixes, window, dimension, padding.

Read are the files of sentence-transformers and model2vec, as far as they are there: `modules.json`,
`1_Pooling/config.json`, `sentence_bert_config.json`, `config_sentence_transformers.json`, `config.json`,
`tokenizer_config.json`, `tokenizer.json`. Vectors always get unit length, whether or not the model says so.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from memwell._dataclasses import dataclass
from memwell.embedders.local import folders
from memwell.embedders.prefixes import prefixes_of
from memwell.errors import ConfigError

__all__ = ["GRAPHS", "POOLINGS", "Layout", "described_as_static", "read", "weights_in"]

GRAPHS: Final = ("onnx/model.onnx", "model.onnx")
MATRICES: Final = ("model.safetensors", "0_StaticEmbedding/model.safetensors")
POOLINGS: Final[Mapping[str, str]] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean",  # of another length, but in the same direction
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Switches of `1_Pooling/config.json`, in the order in which their vectors are joined."""
_UNLIMITED: Final = 1_000_000
"""Tokenizers without a limit state a huge one."""
_SHIFTED: Final = frozenset({"camembert", "data2vec-text", "longformer", "mpnet", "roberta", "xlm-roberta"})
"""Model types whose positions begin behind the padding's."""
_STATIC_WINDOW: Final = 512
_KNOWN_MODULES: Final = frozenset({"transformer", "pooling", "normalize", "staticembedding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the files of one folder turn texts into vectors."""

    model: str
    """Name under which vectors are stored."""
    tokenizer: Path
    kind: Literal["graph", "static"]
    weights: Path
    """The ONNX graph, or the safetensors with a vector for each token."""
    pooling: tuple[str, ...] = ("mean",)
    pools_prefix: bool = True
    """Whether the tokens of the prefix count in the pooling."""
    window: int | None = None
    """Tokens that the model reads, with the special ones."""
    dimension: int | None = None
    document_prefix: str = ""
    query_prefix: str = ""
    lowercase: bool = False
    padding: int = 0
    """Id of the token that fills up a batch."""
    optimized: bool = False
    """Whether the graph consists of fused operators already."""


def read(folder: Path, *, file: str | None = None) -> Layout:
    """The layout of a folder. `file`: the ONNX graph, where there are several. Raises `ConfigError`."""
    modules = _modules(folder)
    base = _transformer(folder, modules)
    settings = _Settings(folder, base)
    kind: Literal["graph", "static"] = "static" if _static(settings.config, modules) else "graph"
    names = {
        str(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file()
    }  # modules may have folders of their own
    weights = folder / weights_in(names, static=kind == "static", file=file, where=str(folder))
    tokenizer = _tokenizer(folder, base, weights)
    model = _name(folder, weights, tokenizer, file)
    common: dict[str, Any] = {"model": model, "tokenizer": tokenizer, "weights": weights}
    if kind == "static":
        window = settings.config.get("max_length", _STATIC_WINDOW)
        dimension = _count(settings.config.get("hidden_dim"))
        return Layout(**common, kind=kind, window=window, dimension=dimension)
    document, query = settings.prefixes(folder, model)
    pooling, pools_prefix, dimension = _pooling(folder, modules)
    width = dimension or settings.width()
    return Layout(
        **common,
        kind=kind,
        pooling=pooling,
        pools_prefix=pools_prefix,
        window=settings.window(),
        dimension=None if width is None else width * len(pooling),
        document_prefix=document,
        query_prefix=query,
        lowercase=settings.bert.get("do_lower_case") is True,
        padding=settings.padding(tokenizer),
    )


def described_as_static(folder: Path) -> bool:
    """Whether a model has one vector for each token and no graph, by the files that describe it."""
    modules = _modules(folder)
    return _static(_Settings(folder, _transformer(folder, modules)).config, modules)


def _static(config: Mapping[str, Any], modules: Sequence[tuple[str, str]]) -> bool:
    kinds = {kind for kind, _ in modules}
    return config.get("model_type") == "model2vec" or "staticembedding" in kinds


def weights_in(names: Collection[str], *, static: bool, file: str | None, where: str) -> str:
    """The file with the weights, of all files of a model. Raises `ConfigError` if none or several fit."""
    if file is not None:
        if file not in names:
            raise ConfigError(f"there is no {file} in {where}", part="local")
        return file
    usual = next((name for name in (MATRICES if static else GRAPHS) if name in names), None)
    if usual is not None:
        return usual
    ending = ".safetensors" if static else ".onnx"
    found = sorted(name for name in names if name.endswith(ending))
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{where} has several graphs: {', '.join(found)}; choose with ?file=", part="local")
    raise ConfigError(
        f"{where} has no {ending} file; "
        + ("" if static else "export one: optimum-cli export onnx --model NAME FOLDER, then ")
        + "give the folder as local:/path/to/FOLDER",
        part="local",
    )


class _Settings:
    """The JSON files of a folder."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.config = _json(base / "config.json") or _json(folder / "config.json")
        self.bert = _json(base / "sentence_bert_config.json") or _json(folder / "sentence_bert_config.json")
        self.tokenizer = _json(base / "tokenizer_config.json") or _json(folder / "tokenizer_config.json")
        self.sentence = _json(folder / "config_sentence_transformers.json")

    def width(self) -> int | None:
        for name in ("hidden_size", "dim", "d_model", "n_embd"):
            found = _count(self.config.get(name))
            if found is not None:
                return found
        return None

    def window(self) -> int | None:
        """The sentence model's own limit, else the tokenizer's; never more than the model has positions."""
        positions = _count(self.config.get("max_position_embeddings"))
        if positions is not None and self.config.get("model_type") in _SHIFTED:
            positions -= (_count(self.config.get("pad_token_id")) or 0) + 1
        own = _count(self.bert.get("max_seq_length")) or _count(self.tokenizer.get("model_max_length"))
        found = [limit for limit in (own, positions) if limit is not None and limit < _UNLIMITED]
        return min(found) if found else None

    def prefixes(self, folder: Path, model: str) -> tuple[str, str]:
        """Prefixes of documents and queries: the model's prompts, or those that its authors document."""
        given = self.sentence.get("prompts")
        prompts = {k: v for k, v in given.items() if isinstance(v, str)} if isinstance(given, dict) else {}
        default = prompts.get(str(self.sentence.get("default_prompt_name")), "")
        query = prompts.get("query") or default
        document = next((prompts[n] for n in ("document", "passage", "corpus") if prompts.get(n)), default)
        if query or document:
            return document, query
        names = (model, str(self.config.get("_name_or_path", "")), folder.name)
        return next((known for name in names if any(known := prefixes_of(name))), ("", ""))

    def padding(self, tokenizer: Path) -> int:
        padding = _json(tokenizer).get("padding") or {}
        return _number(padding.get("pad_id")) or _number(self.config.get("pad_token_id")) or 0


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Kind and folder of each module, in order. Raises `ConfigError` for one that cannot be computed here."""
    path = folder / "modules.json"
    if not path.is_file():
        return []
    listed = _parsed(path)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ConfigError(f"{path} is not a list of modules", part="local")
    found = [
        (str(each.get("type", "")).rpartition(".")[2].lower(), str(each.get("path", ""))) for each in listed
    ]
    for kind, _ in found:
        if kind not in _KNOWN_MODULES:
            raise ConfigError(
                f"{path} has the module {kind!r}; known: {', '.join(sorted(_KNOWN_MODULES))}."
                " Use sentence-transformers:FOLDER for this model",
                part="local",
            )
    return found


def _transformer(folder: Path, modules: Sequence[tuple[str, str]]) -> Path:
    """The folder of the transformer's own files."""
    path = next((path for kind, path in modules if kind in ("transformer", "staticembedding")), "")
    return folder / path


def _pooling(folder: Path, modules: Sequence[tuple[str, str]]) -> tuple[tuple[str, ...], bool, int | None]:
    """The ways of pooling, whether they count the prefix, and the length of one vector."""
    path = next((path for kind, path in modules if kind == "pooling"), "1_Pooling")
    config = _json(folder / path / "config.json")
    mode = config.get("pooling_mode")
    modes = mode if isinstance(mode, list) else [mode] if isinstance(mode, str) else None
    if modes is None:
        modes = [way for name, way in POOLINGS.items() if config.get(name) is True] or ["mean"]
    modes = ["mean" if each == "mean_sqrt_len_tokens" else each for each in modes]
    unknown = [str(each) for each in modes if each not in POOLINGS.values()]
    if unknown:
        raise ConfigError(f"{folder / path} pools by {', '.join(unknown)}, which is not known", part="local")
    size = _count(config.get("word_embedding_dimension")) or _count(config.get("embedding_dimension"))
    return tuple(modes), config.get("include_prompt") is not False, size


def _tokenizer(folder: Path, base: Path, weights: Path) -> Path:
    for place in (base, folder, weights.parent):
        if (place / "tokenizer.json").is_file():
            return place / "tokenizer.json"
    raise ConfigError(
        f"{folder} has no tokenizer.json; save the fast tokenizer of the model there"
        " (transformers: AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER))",
        part="local",
    )


def _name(folder: Path, weights: Path, tokenizer: Path, file: str | None) -> str:
    """The name of a model that was pulled, or the folder's name and a fingerprint of its files."""
    about = folders.manifest(folder)
    if isinstance(about.get("model"), str):
        return f"{about['model']}:{Path(file).stem}" if file else str(about["model"])
    data = [path for path in weights.parent.glob(f"{weights.name}*") if path.is_file()]
    pooling = sorted(folder.glob("*/config.json"))
    prints = folders.fingerprint(sorted({*data, weights, tokenizer}) + pooling)
    return f"{folder.resolve().name}-{prints}"


def _json(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is no such file."""
    found = _parsed(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is not a JSON object", part="local")
    return found


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}", part="local") from error


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _count(value: object) -> int | None:
    """A whole number of 1 or more; anything else says nothing."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return _number(whole) or None
