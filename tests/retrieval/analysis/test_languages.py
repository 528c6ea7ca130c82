"""Languages: which one a text is in, and that a question meets what is stored, inflected as people inflect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.retrieval.analysis.english import COMMON, STOP_WORDS
from memwell.retrieval.analysis.folding import fold
from memwell.retrieval.analysis.function_words import DAILY_WORDS, FUNCTION_WORDS
from memwell.retrieval.analysis.intent import asks_when, prefers_newest
from memwell.retrieval.analysis.languages import SCRIPTS
from memwell.retrieval.analysis.text import analyze, read_query
from memwell.retrieval.analysis.words import ENGLISH, languages

SAID = [
    ("ar", "أسكن مع أختي في شقة قرب المحطة", "أين نظارتي الجديدة؟"),
    ("bg", "Живея със сестра си близо до гарата", "Къде е ключът за мазето?"),
    ("ca", "Visc amb la meva germana prop de l'estació", "On és el meu ordinador?"),
    ("cs", "Bydlím se sestrou kousek od nádraží", "Kde je klíč od sklepa?"),
    ("da", "Jeg bor sammen med min søster tæt på stationen", "Hvor er nøglen til kælderen?"),
    ("de", "Ich wohne mit meiner Schwester beim Bahnhof", "Wo ist der Kellerschlüssel?"),
    ("el", "Μένω με την αδερφή μου κοντά στον σταθμό", "Πού είναι το κλειδί;"),
    ("eo", "Mi loĝas kun mia fratino apud la stacidomo", "Kie estas la ŝlosilo de la kelo?"),
    ("es", "Vivo con mi hermana cerca de la estación", "¿Dónde está la llave del sótano?"),
    ("et", "Ma elan koos õega jaama lähedal", "Kus on keldri võti?"),
    ("eu", "Nire ahizparekin bizi naiz geltoki ondoan", "Non dago giltza hori?"),
    ("fa", "من با خواهرم نزدیک ایستگاه زندگی می‌کنم", "کلید زیرزمین کجاست؟ چه رنگی است؟"),
    ("fi", "Asun siskoni kanssa aseman lähellä", "Missä kellarin avain on?"),
    ("fr", "J'habite avec ma sœur près de la gare", "Où est la clé de la cave ?"),
    ("ga", "Tá mé i mo chónaí in aice leis an stáisiún agus tá gairdín againn", "Cá bhfuil an eochair agus an doras?"),
    ("he", "אני גר עם אחותי ליד התחנה", "איפה המפתח של המרתף?"),
    ("hi", "मैं अपनी बहन के साथ स्टेशन के पास रहती हूँ", "तहख़ाने की चाबी कहाँ है?"),
    ("hu", "A nővéremmel lakom az állomás mellett", "Hol van a pince kulcsa?"),
    ("hy", "Ես ապրում եմ քրոջս հետ կայարանի մոտ", "Որտեղ է նկուղի բանալին"),
    ("id", "Saya tinggal dengan adik perempuan di dekat stasiun", "Di mana kunci gudang itu?"),
    ("it", "Abito con mia sorella vicino alla stazione", "Dov'è la chiave della cantina?"),
    ("lt", "Aš gyvenu su seserimi prie stoties", "Kur yra rūsio raktas?"),
    ("ne", "म मेरो बहिनीसँग स्टेशन नजिक बस्छु र काम गर्छ", "तहखानाको साँचो कहाँ छ?"),
    ("nl", "Ik woon met mijn zus bij het station", "Waar is de sleutel van de kelder?"),
    ("no", "Jeg bor sammen med søsteren min nær stasjonen og jobber hjemme", "Hva heter naboen vår i første etasje?"),
    ("pl", "Mieszkam z siostrą niedaleko dworca", "Gdzie jest klucz do piwnicy?"),
    ("pt", "Moro com minha irmã perto da estação", "Onde está a chave do porão?"),
    ("ro", "Locuiesc cu sora mea lângă gară", "Unde este cheia de la pivniță?"),
    ("ru", "Я живу с сестрой недалеко от вокзала", "Где ключ от подвала?"),
    ("sr", "Живим са сестром близу станице и имам пса", "Где је кључ од подрума?"),
    ("sv", "Jag bor med min syster nära stationen", "Var är nyckeln till källaren?"),
    ("ta", "நான் என் சகோதரியுடன் வசிக்கிறேன்", "சாவி எங்கே உள்ளது?"),
    ("tr", "Kız kardeşimle istasyona yakın bir evde oturuyorum", "Bodrumun anahtarı nerede?"),
    ("uk", "Я живу із сестрою біля вокзалу", "Де ключ від підвалу?"),
    ("yi", "איך וווין מיט מיין שוועסטער און דער הונט", "ווו איז דער שליסל פון קעלער"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "note", "question"), SAID, ids=[code for code, *_ in SAID])
def test_the_language_of_notes_and_questions_is_detected(code: str, note: str, question: str) -> None:
    for said in (note, question):
        assert code in languages(said).values(), (said, languages(said))


def test_every_language_has_a_sentence_here() -> None:
    assert {code for codes in SCRIPTS.values() for code in codes} == {code for code, *_ in SAID} | {"en"}


@pytest.mark.parametrize(
    "said",
    [
        "", "42", "café", "Zürich", "São Paulo", "Dvořák, Stabat Mater", "Die Hard", "hat",
        "Der Freischütz with Ana",
        "La La Land", "Mina and Max", "old car", "man hugging dog", "chicken pot pie", "to do: mit der Zeit",
        "Las Vegas trip", "our son's bar mitzvah", "Ana took the tram to Málaga", "He said “über” twice",
        "https://i.example.org/de/la/und/der/image_1.jpg", "a résumé for the Côte d'Azur job",
        "C'est la vie, she said",
        "El Niño made the summer hot", "The Señora of our house is in Ålesund", "Mi casa, the restaurant",
    ],
)  # fmt: skip
def test_what_could_be_english_is(said: str) -> None:
    assert languages(said) == ENGLISH


@given(st.lists(st.sampled_from(sorted(STOP_WORDS | COMMON)), min_size=1))
def test_english_words_are_english(words: list[str]) -> None:
    assert languages(" ".join(words)) == ENGLISH


@pytest.mark.parametrize(
    ("note", "question"),
    [
        ("السيارة الجديدة عند الكراج", "أين سيارتنا؟"), ("عيادته في الدوار الثاني", "أين العيادة؟"),
        ("كل رحلاتنا كانت إلى البتراء", "متى كانت الرحلة؟"),
        ("ولدت قطتي والمدرسة مغلقة", "متى تفتح مدرسة البنت؟"),
        ("Die Möwen haben das Dach zerstört", "Welche Moewe war das?"),
        ("Wir haben zwei Häuser", "Wo ist unser Haus?"),
        ("Die Straße ist gesperrt", "Welche STRASSE ist gesperrt?"),
        ("Ik heb twee katten", "Wat eet mijn kat?"),
        ("Bilarna står på gården", "Var är min bil?"), ("Jeg har to biler og en hund", "Hvor er min bil?"),
        ("Nøklene ligger i skuffen og ikke hos naboen", "Hvor er nøklene mine?"),
        ("Asun uudessa talossa kaupungin keskustassa", "Missä talo on?"),
        ("Egy új házban lakunk", "Hol van a ház?"),
        ("Nous avons vendu les deux voitures", "Quelle voiture avons-nous ?"),
        ("L'hôtel est près de la gare", "Quel est le nom de l’hôtel ?"),
        ("Las llaves están con Pilar", "¿Quién tiene la llave?"),
        ("Vivíamos en Zaragoza con mi madre", "¿Dónde vivimos?"), ("Os gatos da minha irmã", "Qual é o gato?"),
        ("Le macchine sono in cortile", "Dov'è la macchina?"),
        ("Am două pisici și un câine", "Unde este pisica?"),
        ("Nie mamy już samochodu", "Jaki mam samochód?"), ("Máme dvě kočky a psa", "Kde je kočka?"),
        ("Arabamız evde değil", "Hangi ev bizim?"), ("Мы продали старую машину", "Какая у нас машина?"),
        ("Ключами от мастерской заведует сосед", "У кого ключ?"),
        ("Τα αυτοκίνητα είναι στο γκαράζ", "Πού είναι το αυτοκίνητο;"),
        ("बच्चों को मिठाई पसंद है", "मेरे बच्चे क्या खाते हैं?"),
        ("हमारी यात्राएँ बहुत लंबी थीं", "यात्रा कब थी?"),
        ("הבית שלנו ליד הים", "איפה היה בית הספר?"), ("کتاب‌ها روی میز است", "این کتاب کجا است؟"),
        ("我喜欢喝茶", "茶"), ("我对芒果过敏", "芒果是什么？"), ("店は東山にある", "東山はどこ？"),
        ("열쇠는 이웃집에 있다", "열쇠가 어디 있어?"),
        ("ผมแพ้ถั่วลิสง", "แพ้ถั่วอะไร"),
    ],
)  # fmt: skip
def test_a_question_meets_what_is_stored(note: str, question: str) -> None:
    assert set(read_query(question).terms) & set(analyze(note)), (read_query(question).terms, analyze(note))


@pytest.mark.parametrize(
    "question",
    [
        "Wo ist das?", "Qui est-ce ?", "¿Qué es esto?", "Che cos'è?", "Vad är det?", "Что это?", "这是什么？",
        "什么时候？", "どこにある？",
        "ما هذا؟", "क्या है?", "Wat is dat?", "O que é isso?",
    ],
)  # fmt: skip
def test_function_words_of_a_question_are_no_terms_beside_others(question: str) -> None:
    assert set(read_query(question + " 4711").terms) == {"4711"}


def test_a_name_meets_across_languages() -> None:
    assert set(analyze("Gestern hat uns die Frau Petersen besucht")) & set(
        read_query("who is Petersen?").terms
    )
    assert set(analyze("Наш сосед Müller купил дачу")) & set(read_query("who is Müller?").terms)
    assert set(analyze("Holger hat die Autoschlüssel")) & set(read_query("what about Holger?").terms)
    assert set(analyze("Petersen is our neighbour")) & set(
        read_query("Wo wohnt eigentlich die Petersen?").terms
    )


@pytest.mark.parametrize(
    "said",
    [
        "pass\u00adword", "pass\u200bword", "p\u200dassword", "pass\u2060word", "pass\u202aword",
        "pass\u2069word", "pass\u202fword",
        "ｐａｓｓｗｏｒｄ", "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝", "pa\u034fssword", "pass\ufeffword",
    ],
)  # fmt: skip
def test_characters_without_a_shape_and_compatibility_forms_fold_away(said: str) -> None:
    assert analyze(said) == analyze("password")
    assert read_query(said).terms == ("password",)


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("الـــعـــيـــادة", "العيادة"), ("عِيَادَة", "عيادة"), ("أحمد", "احمد"), ("שָׁלוֹם", "שלום"),
        ("خانه\u200cها", "خانهها"),
        ("ज़मीन", "जमीन"), ("माँ", "मां"), ("٣٥", "35"), ("३५", "35"), ("10\u202f000", "10000"),
        ("1\u00a0234\u00a0567", "1234567"),
    ],
)  # fmt: skip
def test_marks_and_digits_of_other_scripts_fold_away(said: str, same: str) -> None:
    assert analyze(said) == analyze(same)


@pytest.mark.parametrize(
    ("said", "foreign"),
    [
        ("Where is Ana?", False),
        ("Wo ist Ana?", True),
        ("where is my дача?", False),
        ("茶", True),
        ("Где ключ?", True),
        ("", False),
    ],
)
def test_a_question_says_whether_it_is_in_another_language(said: str, foreign: bool) -> None:
    assert read_query(said).foreign is foreign


@pytest.mark.parametrize(
    ("question", "newest"),
    [
        ("Wo wohnen wir zurzeit?", 3), ("Où habitons-nous actuellement ?", 3), ("Где сейчас мастерская?", 3),
        ("今の車は何？", 3),
        ("书店现在在哪里？", 3), ("أين نسكن الآن؟", 3), ("हम अब कहाँ रहते हैं?", 3),
        ("Welches Auto hatten wir früher?", -1),
        ("Vilken bil hade jag förut?", -1), ("На какой машине мы ездили раньше?", -1), ("以前の車は何だった？", -1),
        ("पहले कौन-सी गाड़ी थी?", -1), ("Где была мастерская?", 0), ("what is the actual cost?", 1),
        ("Which car did we have before the van?", -1), ("what must I do before the trip?", 0),
        ("Wo ist der Schlüssel?", 1),
    ],
)  # fmt: skip
def test_now_and_once_are_understood(question: str, newest: float) -> None:
    assert prefers_newest(question, dated=False) == newest


@pytest.mark.parametrize(
    "question",
    ["Wann war das?", "Quand est-ce ?", "Когда?", "متى الموعد؟", "कब है?", "いつ？", "什么时候？", "Kiedy?"],
)
def test_questions_for_a_time_are_understood(question: str) -> None:
    assert asks_when(question)


def test_the_lists_of_words_are_folded() -> None:
    for lists in (FUNCTION_WORDS, DAILY_WORDS):
        for code, words in lists.items():
            assert words.split() == [fold(word) for word in words.split()], code
