"""Index terms of Chinese, Japanese, Korean, Thai and other scripts without blanks between words.

Overlapping pairs of characters, as in Lucene's CJKAnalyzer, of what is left between function words; each Chinese
character is a term of its own, too. Korean words lose their particle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memwell._patterns import pattern

__all__ = ["UNSPACED_RUN", "characters", "pairs"]

_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED: Final = f"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\uac00-\ud7af\uff66-\uff9f{_HAN}"
UNSPACED_RUN: Final = pattern(f"[{_UNSPACED}]+")
_CHARACTER: Final = pattern(f"[{_HAN}]")
_KANA: Final = pattern("[\u3040-\u30ff]")


def _any(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


_CHINESE: Final = pattern(
    _any(
        """为什么 為什麼 什么时候 什麼時候 什么 什麼 甚麼 怎么 怎麼 怎样 怎樣 为何 為何 何时 何時 多少 多久
        哪里 哪裡 哪裏 哪儿 哪个 哪個 哪些 哪天 哪年 哪种 哪種 几个 幾個 几点 幾點 几号 幾號 几月 几次 时候
        時候 我们 我們 你们 你們 他们 他們 她们 她們 自己 这个 這個 那个 那個 这些 這些 那些 这里 這裡 那里
        那裡 现在 現在 目前 已经 已經 可以 因为 因為 所以 但是 不过 不過 如果 以及 还是 還是 或者 就是 一个
        一個 一下 一些 是否 有没有 有沒有 是不是 之前 之后 之後 以前 以后 以後 原来 原來 后来 後來 曾经 曾經
        关于 關於 的 了 吗 嗎 呢 吧 是 在 与 與 也 很 我 你 他 她 它 们 們 这 這 那 哪 谁 誰"""
    )
)
_JAPANESE: Final = pattern("[何誰今私僕俺]|以前|現在")
_KANA_WORDS: Final = pattern(
    "(?:"
    + _any(
        """ください ました ません ています ていた ている ていない でした でしょう です ます だった から まで
        として について という こと もの ため どこ どれ どの どんな どう いつ だれ なに なん いくら いくつ
        なぜ どうして これ それ あれ この その あの ここ そこ する した して しない しなかった される された
        いる ある いた あった ない なかった なる なった いけない ならない だけ しか でも とき ころ ながら
        ので のに けど よう は が を に で の と も へ や か ね よ な だ て た り ば れる られる せる たい"""
    )
    + ")*"
)
_ENDING: Final = pattern(
    "[いきぎしちにびみりえけげせてねべめれわかがさたなばまらっんうくぐすつぬぶむるじ]{0,2}"
)
"""What may follow the character of a verb."""
_KOREAN_WORDS: Final = frozenset(
    """무엇 무엇을 무엇인가요 뭐 뭐야 뭐예요 뭘 어디 어디서 어디에 어디야 어디로 언제 언제야 누구 누가
        누구야 누구의 왜 어떻게 몇 얼마 얼마야 얼마나 어느 어떤 우리 우리는 우리가 내 내가 나 나는 나의 저
        저는 제 제가 그 이 것 거 수 있다 있어 있나 있는 있나요 있었다 있었지 없다 없어 하다 했다 했지 했어
        해 하는 이다 인가요 지금 및 또는 그리고 그런데 하지만""".split()
)
_PARTICLE: Final = pattern(
    "(?:"
    + _any(
        """에서는 에서 에게서 에게 한테서 한테 으로는 으로
        까지 부터 이라고 라고 이랑 에는 에도 보다 처럼 마다 이나 은 는 이 가 을 를 에 의 로 와 과 도 만 랑 께"""
    )
    + ")$"
)
_THAI: Final = pattern(
    _any(
        """เมื่อไหร่ เมื่อไร เท่าไหร่ เท่าไร อย่างไร ยังไง ทำไม อะไร ที่ไหน ไหน ใคร กี่ ไหม ครับ ค่ะ คะ ที่ ของ
        และ ใน เป็น มี ได้ ให้ จะ กับ จาก แล้ว ไป มา อยู่ ไม่ ก็ นี้ นั้น ว่า คือ โดย เพื่อ แต่ หรือ ยัง ฉัน
        ผม เรา เขา เธอ ต้อง อีก ด้วย"""
    )
)


def pairs(run: str) -> list[str]:
    """The terms of a run of such characters: overlapping pairs, or the character of a run of one."""
    return [piece[at : at + 2] for piece in _pieces(run) for at in range(max(1, len(piece) - 1))]


def characters(text: str) -> list[str]:
    """The single Chinese characters of a text that belong to no function word."""
    if text.isascii() or not _CHARACTER.search(text):
        return []
    return [
        character
        for run in UNSPACED_RUN.findall(text)
        for piece in _pieces(run)
        for character in _CHARACTER.findall(piece)
    ]


def _pieces(run: str) -> list[str]:
    """What is left of a run without its function words."""
    if "\uac00" <= run[0] <= "\ud7af":
        return [] if run in _KOREAN_WORDS else [_PARTICLE.sub("", run, count=1) if len(run) > 1 else run]
    if run[0] < "\u3040":
        return [piece for piece in _THAI.split(run) if piece]
    if _KANA.search(run):
        return list(_japanese(run))
    return [piece for piece in _CHINESE.split(run) if piece]


def _japanese(run: str) -> Iterator[str]:
    piece = ""
    for part in re.findall("[\u3040-\u309f]+|[^\u3040-\u309f]+", _JAPANESE.sub("\u3000", run)):
        rest = part
        if "\u3040" <= part[0] <= "\u309f":
            after = _ENDING.match(part).end() if piece else 0  # type: ignore[union-attr]
            if any(_KANA_WORDS.fullmatch(part, at) for at in range(after + 1)):
                rest = "\u3000"
        piece += rest
    yield from filter(None, piece.split("\u3000"))
