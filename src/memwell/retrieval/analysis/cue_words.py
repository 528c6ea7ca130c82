"""Words from which the topic, the category and the importance of a text are read, in several languages.

Each line is `name: words`. Words are listed in any usual form: they are compared as stems in the language of the text,
and as written in every other. Chinese and Japanese words have two characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CATEGORIES", "IMPORTANCE", "TOPIC_WORDS", "WEIGHTS"]

CATEGORIES: Final[Mapping[str, str]] = {
    topic: category
    for category, topics in {
        "health": "allergy medication doctor illness sleep fitness",
        "food": "diet meal drink restaurant",
        "travel": "trip flight hotel train",
        "work": "job meeting project deadline",
        "finance": "money bill bank",
        "people": "family birthday friend wedding pet",
        "home": "home garden",
        "technology": "software server device",
        "education": "study language",
        "leisure": "music film book sport game",
    }.items()
    for topic in topics.split()
}
"""Topic → the category that it belongs to."""

WEIGHTS: Final[Mapping[str, float]] = {
    "vital": 0.4,
    "important": 0.3,
    "lasting": 0.2,
    "due": 0.15,
    "chatter": -0.3,
}
"""What each kind of word adds to the importance of a text, once."""


def _lines(text: str) -> dict[str, str]:
    """Name → its words; what stands below a line without a name belongs to it."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        head, colon, words = line.strip().partition(": ")
        name = head if colon else name
        found[name] = f"{found.get(name, '')} {words if colon else head}"
    return found


IMPORTANCE: Final[Mapping[str, Mapping[str, str]]] = {
    "en": _lines(
        """vital: allergic allergy allergies anaphylaxis epipen insulin diabetic diabetes asthma epilepsy emergency
        important: important crucial critical urgent essential vital mandatory asap
        lasting: remember never always forget permanently
        due: deadline due expire expires appointment must overdue
        chatter: hi hello hey thanks thank ok okay lol haha hmm bye goodbye welcome yeah yep"""
    ),
    "de": _lines(
        """vital: allergisch allergie allergien insulin diabetiker diabetikerin diabetes asthma epilepsie notfall
important: wichtig dringend entscheidend unbedingt kritisch
lasting: merke niemals immer vergiss vergessen
due: frist fällig termin ablauf spätestens
chatter: hallo danke tschüss servus"""
    ),
    "fr": _lines(
        """vital: allergique allergie allergies insuline diabétique diabète asthme épilepsie urgence
important: important importante urgent urgente crucial crucial essentiel essentielle
lasting: rappelle jamais toujours oublie souviens
due: échéance délai expire rendez-vous
chatter: bonjour salut merci"""
    ),
    "es": _lines(
        """vital: alérgico alérgica alergia alergias insulina diabético diabética diabetes asma epilepsia emergencia
important: importante urgente crucial esencial imprescindible
lasting: recuerda nunca siempre olvides
due: plazo vence vencimiento cita
chatter: hola gracias adiós"""
    ),
    "it": _lines(
        """vital: allergico allergica allergia allergie insulina diabetico diabetica diabete asma epilessia emergenza
important: importante urgente cruciale essenziale
lasting: ricorda sempre dimenticare
due: scadenza scade appuntamento
chatter: ciao grazie"""
    ),
    "pt": _lines(
        """vital: alérgico alérgica alergia alergias insulina diabético diabética diabetes asma epilepsia emergência
important: importante urgente crucial essencial
lasting: lembra lembre nunca sempre esqueça
due: prazo vencimento consulta
chatter: olá obrigado obrigada"""
    ),
    "nl": _lines(
        """vital: allergisch allergie insuline diabeet suikerziekte astma noodgeval
important: belangrijk dringend cruciaal essentieel
lasting: onthoud nooit altijd vergeet
due: vervaldatum afspraak
chatter: hallo bedankt dankjewel"""
    ),
    "sv": _lines("vital: allergisk allergi\nimportant: viktigt viktig brådskande\nlasting: aldrig alltid"),
    "pl": _lines("vital: alergia uczulony uczulona\nimportant: ważne pilne\nlasting: pamiętaj nigdy zawsze"),
    "tr": _lines("vital: alerji alerjisi\nimportant: önemli acil\nlasting: hatırla asla"),
    "uk": _lines("vital: алергія\nimportant: важливо терміново\nlasting: ніколи завжди"),
    "ru": _lines(
        """vital: аллергия аллергии инсулин диабет астма эпилепсия
important: важно срочно важный
lasting: запомни никогда всегда забудь
due: срок дедлайн
chatter: привет спасибо"""
    ),
    "zh": _lines(
        "vital: 过敏 過敏\nimportant: 重要 紧急 緊急\nlasting: 记住 記住 永远 从不\ndue: 截止 到期\nchatter: 你好 谢谢"
    ),
    "ja": _lines("vital: 糖尿 喘息\nimportant: 重要 至急 緊急 大切\nlasting: 覚え 必ず 絶対\ndue: 締切 期限"),
}
"""Language → kind of word → the words."""

TOPIC_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": _lines(
        """allergy: allergic allergy allergies anaphylaxis epipen intolerant intolerance
medication: medication medicine medicines pill pills dose dosage prescription insulin antibiotic vaccine vitamin
doctor: doctor dentist hospital clinic surgeon physician therapist nurse surgery
illness: ill sick illness disease diabetes diabetic asthma fever headache migraine flu injury pain cough symptom
sleep: sleep slept asleep insomnia nap
fitness: gym workout exercise exercises yoga jogging marathon training
diet: vegan vegetarian diet dieting gluten lactose calories keto halal kosher
meal: dinner lunch breakfast recipe recipes cook cooking cooks baked meal cake bread pizza pasta soup salad food
drink: coffee tea wine beer juice espresso whisky cocktail
restaurant: restaurant restaurants café bistro brunch
trip: trip trips travel traveled travelled travelling traveling vacation holiday holidays journey passport visa luggage
flight: flight flights airport airline plane boarding
hotel: hotel hotels hostel airbnb booked booking reservation
train: train trains tram subway metro
job: job jobs salary boss colleague colleagues coworker career hired resigned promotion office employer interview
meeting: meeting meetings conference standup agenda
project: project projects milestone sprint roadmap client clients
deadline: deadline deadlines overdue
money: money budget savings salary mortgage loan debt tax taxes investment stocks
bill: bill bills invoice invoices receipt refund rent subscription
bank: bank account iban
family: family mother father mom mum dad parents brother sister son daughter wife husband grandmother
grandfather aunt uncle cousin baby child children kids niece nephew
birthday: birthday birthdays anniversary
friend: friend friends neighbour neighbor girlfriend boyfriend
wedding: wedding married marriage fiancé fiancée engaged divorce divorced
pet: dog dogs cat cats puppy kitten pet pets hamster rabbit parrot vet
home: home house apartment flat address lives live living moved kitchen bedroom furniture landlord
garden: garden gardening plants lawn bees tomatoes
software: software code bug bugs deploy deployed deployment api python javascript repository github release app library
server: server servers database postgres kubernetes docker cluster password wifi router
device: laptop phone computer printer iphone android tablet camera keyboard
study: university school exam exams course homework thesis degree lecture student teacher professor
language: spanish french german italian portuguese japanese chinese english grammar vocabulary
music: music song songs guitar piano violin concert concerts band album
film: film films movie movies cinema series netflix documentary
book: book books novel author reading
sport: football soccer tennis basketball hockey swimming running cycling climbing skiing surfing hiking match
game: game games chess videogame playstation nintendo xbox puzzle"""
    ),
    "de": _lines(
        """allergy: allergisch allergie allergien unverträglichkeit
medication: medikament medikamente tablette tabletten rezept impfung insulin
doctor: arzt ärztin zahnarzt krankenhaus klinik
illness: krank krankheit fieber kopfschmerzen diabetes asthma grippe
diet: vegetarisch vegan vegetarier veganer diät
meal: abendessen mittagessen frühstück kochen kuchen essen
drink: kaffee tee wein bier
trip: reise urlaub reisepass ferien
flight: flug flüge flughafen
train: zug bahn
job: arbeit beruf chef kollege kollegin gehalt büro
meeting: besprechung sitzung konferenz
project: projekt projekte kunde
deadline: frist abgabetermin
money: geld steuer steuern kredit
bill: rechnung rechnungen miete
family: familie mutter vater bruder schwester sohn tochter frau ehemann kinder kind eltern oma opa
birthday: geburtstag geburtstage
friend: freund freundin freunde nachbar
wedding: hochzeit verheiratet heiratet
pet: hund katze haustier
home: wohnung haus wohnt wohne umgezogen adresse
study: universität schule prüfung studium lehrer
music: musik lied konzert gitarre klavier
film: kino fernsehserie
book: buch bücher roman
sport: fußball schwimmen wandern radfahren"""
    ),
    "fr": _lines(
        """allergy: allergique allergie allergies
medication: médicament médicaments ordonnance vaccin insuline
doctor: médecin dentiste hôpital clinique
illness: malade maladie fièvre diabète asthme grippe
diet: végétarien végétarienne végane régime
meal: dîner déjeuner recette cuisine gâteau
drink: café thé vin bière
trip: voyage vacances passeport
flight: vol avion aéroport
job: travail emploi patron collègue salaire bureau
meeting: réunion conférence
project: projet projets client
deadline: échéance
money: argent impôts crédit
bill: facture factures loyer
family: famille mère père frère sœur fils fille mari enfants parents
birthday: anniversaire
friend: ami amie amis voisin
wedding: mariage marié mariée
pet: chien chienne chiens
home: maison appartement habite adresse déménagé
study: université école examen études
music: musique chanson concert guitare
book: livre livres roman
sport: natation randonnée vélo"""
    ),
    "es": _lines(
        """allergy: alérgico alérgica alergia alergias
medication: medicamento medicamentos medicina receta vacuna insulina
doctor: médico médica dentista hospital clínica
illness: enfermo enferma enfermedad fiebre diabetes asma gripe
diet: vegetariano vegetariana vegano vegana dieta
meal: cena almuerzo desayuno cocina pastel comida
drink: café té vino cerveza
trip: viaje viajes vacaciones pasaporte
flight: vuelo vuelos avión aeropuerto
job: trabajo trabaja empleo jefe colega sueldo oficina
meeting: reunión conferencia
project: proyecto proyectos cliente
deadline: plazo
money: dinero impuestos crédito
bill: factura facturas alquiler
family: familia madre padre hermano hermana hijo hija esposa marido hijos
birthday: cumpleaños
friend: amigo amiga amigos vecino
wedding: boda casado casada
pet: perro perra gato gata mascota
home: casa piso vive vivo dirección mudado
study: universidad escuela examen estudios
music: música canción concierto guitarra
film: película cine
book: libro libros novela
sport: fútbol natación senderismo"""
    ),
    "it": _lines(
        """allergy: allergico allergica allergia
doctor: medico dentista ospedale
meal: cena pranzo colazione ricetta
drink: caffè tè vino birra
trip: viaggio vacanze passaporto
flight: volo aereo aeroporto
job: lavoro lavora ufficio stipendio
meeting: riunione
money: soldi tasse
family: famiglia madre padre fratello sorella figlio figlia moglie marito
birthday: compleanno
pet: cane gatto
home: appartamento abita abito indirizzo"""
    ),
    "pt": _lines(
        """allergy: alérgico alérgica alergia
doctor: médico dentista hospital
meal: jantar almoço receita
trip: viagem férias passaporte
flight: voo avião aeroporto
job: trabalho trabalha escritório salário
meeting: reunião
family: família mãe pai irmão irmã filho filha esposa marido
birthday: aniversário
pet: cachorro cão gato
home: apartamento mora moro endereço"""
    ),
    "nl": _lines(
        """allergy: allergisch allergie
doctor: dokter tandarts ziekenhuis
meal: avondeten ontbijt recept koken
trip: reis vakantie paspoort
flight: vlucht vliegtuig luchthaven
job: baan salaris kantoor
meeting: vergadering
family: gezin moeder vader broer zus zoon dochter
birthday: verjaardag
pet: hond poes
home: huis woning woont adres"""
    ),
    "ru": _lines(
        """allergy: аллергия аллергии
doctor: врач больница
trip: поездка отпуск паспорт
flight: рейс самолёт аэропорт
job: работа работает начальник
meeting: встреча совещание
family: семья мама папа брат сестра сын дочь жена муж
birthday: рождения
pet: собака кошка кот
home: дом квартира живёт живу адрес"""
    ),
    "zh": _lines(
        """allergy: 过敏 過敏
medication: 药物 胰岛
doctor: 医生 医院 牙医
trip: 旅行 护照
flight: 航班 飞机 机场
job: 工作 老板 同事
meeting: 会议
project: 项目
family: 妈妈 爸爸 女儿 儿子 妻子 丈夫 家人
birthday: 生日
home: 地址 房子"""
    ),
    "ja": _lines(
        """doctor: 医者 病院 歯科
trip: 旅行
flight: 空港 飛行
job: 仕事 会社 上司
meeting: 会議
family: 家族 息子 奥さ
birthday: 誕生
home: 住所"""
    ),
}
"""Language → topic → the words that speak of it."""
