"""Questions that name a time and no topic, such as *what happened in 2024?*, by their words beside the time.

Function words are none of these; they have no index term.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from memwell._patterns import pattern
from memwell.retrieval.analysis.folding import fold
from memwell.retrieval.analysis.languages import script_of
from memwell.retrieval.analysis.words import Languages, word_terms

__all__ = ["names_no_topic"]

_WORDS: Final = {
    "en": """happen happened happening occurred go goes going went on note notes memory memories remember entry
        entries event events thing things stuff everything anything something list show tell summary summarize
        recap write wrote written record recorded say said talk talked discuss discussed mention mentioned know
        learn learned learnt new news plan plans planned up diary journal log day week month year time date
        past""",
    "de": """passiert passieren passierte geschah geschehen geschieht ereignet ereignis ereignisse los notiz
        notizen eintrag einträge erinnerung erinnerungen gemacht machte machten machen getan tat taten tun
        aufgeschrieben notiert geschrieben gesagt besprochen gelernt vorgefallen zeig zeige erzähl erzähle plan
        pläne geplant neu neues alles jahr jahre monat woche tag""",
    "fr": """passe passé passer arrivé arriver produit note notes souvenir souvenirs fait faire faisais noté
        écrit dit raconte montre appris prévu nouveau nouveautés neuf tout événement événements jour mois année
        semaine""",
    "es": """pasó pasar pasado ocurrió ocurrido sucedió sucedido suceder nota notas recuerdo recuerdos hice hizo
        hicimos hacer hecho hubo anoté escribí dije cuéntame muéstrame aprendí nuevo todo evento eventos día mes
        año semana""",
    "it": """successo succede succedere accaduto accadde capitato avvenuto avvenne nota note appunti ricordo
        ricordi fatto feci fare scritto annotato detto racconta mostra imparato nuovo novità tutto evento eventi
        giorno mese anno settimana""",
    "pt": """aconteceu acontecer ocorreu houve nota notas lembranças memórias fiz fez fizemos fazer feito anotei
        escrevi disse conta mostra novo tudo evento eventos dia mês ano semana""",
    "nl": """gebeurde gebeurd gebeuren gebeurt notitie notities herinnering herinneringen gedaan deed deden doen
        genoteerd geschreven gezegd besproken nieuw alles dag week maand jaar""",
    "sv": """hände hänt hända händer anteckning anteckningar minne minnen gjorde gjort göra skrev skrivit sade
        nytt vad allt dag vecka månad år""",
    "da": """skete sket sker hændte note noter notater minde minder gjorde gjort lavede skrev sagde nyt alt dag
        uge måned år""",
    "no": """skjedde skjedd skjer hendte hendt notat notater minne minner gjorde gjort skrev sa nytt alt dag uke
        måned år""",
    "fi": """tapahtui tapahtunut tapahtuu muistiinpano muistiinpanot muisto muistot tein teimme tehnyt kirjoitin
        uutta kaikki päivä viikko kuukausi vuosi vuonna""",
    "ru": """произошло происходило произойдет случилось случалось заметки заметка записи запись воспоминания
        делал делала делали делать сделал сделала сделали писал писала записал новое нового событие события день
        неделя неделю месяц месяце год году года""",
    "uk": """сталося трапилося відбулося нотатки записи робив робила робили зробив нове рік році місяць тиждень
        день""",
    "pl": """stało zdarzyło wydarzyło działo notatka notatki wspomnienia robiłem robiłam robiliśmy zrobiłem
        zrobiłam nowego rok roku miesiąc tydzień dzień""",
    "cs": """stalo dělo přihodilo poznámka poznámky vzpomínky dělal dělala dělali udělal udělala nového rok roce
        měsíc týden den""",
    "hu": """történt történik jegyzet jegyzetek emlék emlékek csináltam csináltunk írtam nap hét hónap év
        évben""",
    "tr": """oldu olan olmuş not notlar anı anılar yaptım yaptık yapmıştım yazdım yeni gün hafta ay yıl
        yılında""",
    "ro": """întâmplat întâmplă petrecut notă note notițe amintiri făcut făcea scris nou zi săptămână lună an
        anul""",
    "ar": """حدث حصل جرى وقع ملاحظة ملاحظات ذكريات فعلت فعلنا كتبت جديد يوم أسبوع شهر سنة عام""",
    "he": """קרה קרו הערה הערות זיכרונות עשיתי עשינו כתבתי חדש יום שבוע חודש שנה שנת""",
    "hi": """हुआ हुई हुए नोट नोट्स यादें किया की लिखा नया दिन हफ्ते सप्ताह महीने साल""",
}  # fmt: skip
_UNSPACED: Final = pattern(
    "发生|發生|做|事情|事|笔记|筆記|记录|記錄|日记|有|起こ[りっ]|起き|出来事|あり|しまし|ました|やりまし|行いまし|メモ|記録|"
    "思い出|일어났|일어난|일|했|있었|메모|기록|เกิดขึ้น|เกิด|ทำ|บันทึก|อะไร"
)
"""The same in scripts without blanks."""


def names_no_topic(rest: str, spoken: Languages) -> bool:
    """Whether what a question says beside its time is no topic; `spoken` are the languages of the whole question."""
    terms = word_terms(_UNSPACED.sub(" ", rest), spoken)
    return _common().issuperset(terms)


@cache
def _common() -> frozenset[str]:
    """The index terms of these words, in their language and as they are in a question whose language is unclear."""
    found: set[str] = set()
    for code, words in _WORDS.items():
        script = script_of(words.split()[0][0])
        found.update(word_terms(words, {script or "latin": code}), map(fold, words.split()))
        found.update(word_terms(words))
    return frozenset(found)
