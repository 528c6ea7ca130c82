"""English words of which one answers for another: forms that no stemmer joins, words of one meaning, and kinds.

A question asks "What does she earn?", and the memory says "salary". Each word of a question that is listed here is also
looked for as the words beside it; they count less. Written for what people and teams keep notes about, as a dictionary
would have it: no sense that needs a context.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cache, lru_cache
from typing import Final, TypeAlias

from memwell.retrieval.analysis.words import word_terms

__all__ = ["is_word", "related_terms"]

_Lists: TypeAlias = Mapping[str, Sequence[tuple[str, str, float]]]
"""First two letters of a word → the lists that have such a word: its words, what answers for them, what that counts."""
_SAME: Final = 0.9
"""What another form of a word counts, or one of the same meaning."""
_NEAR: Final = 0.3
"""What a word of about the same meaning counts, or one of the kind that was asked for."""

_FORMS: Final = """
begin began begun | bite bit bitten | blow blew blown | break broke broken | bring brought | build built | buy bought
catch caught | choose chose chosen choice | come came | decide decision | deal dealt | draw drew drawn
drink drank drunk | drive drove driven driver | eat ate eaten | fall fell fallen | feed fed | feel felt | fight fought
find found | fly flew flown flight | forget forgot forgotten | freeze froze frozen | get got gotten
give gave given | go went gone | grow grew grown growth | hang hung | hear heard | hide hid hidden | hold held
keep kept | know knew known | lead led leader | learn learnt | leave left | lend lent | lose lost loss
make made maker | meet met meeting | pay paid payment | ride rode ridden rider | run ran runner | see saw seen
sell sold sale seller | send sent | shoot shot | show shown | sing sang sung singer | sit sat | sleep slept asleep
speak spoke spoken speaker speech | spend spent | stand stood | steal stole stolen theft | stick stuck | strike struck
swear swore sworn | swim swam swum swimmer | take took taken | teach taught teacher | tear tore torn | think thought
throw threw thrown | understand understood | wake woke woken | wear wore worn | win won winner
write wrote written writer | child children | man men | woman women | wife wives | foot feet | tooth teeth
mouse mice | goose geese | knife knives | loaf loaves | shelf shelves | person people | die died death dead
marry married marriage | weigh weight | high height | long length | strong strength | deep depth | wide width
advise adviser advisor advice | bake baker bakery | brew brewer brewery | clean cleaner | climb climber
coach coaching | collect collector | cook cooking | dance dancer | deliver delivery | design designer
develop developer development | edit editor | employ employer employee | farm farmer | garden gardener
insure insurer insurance | maintain maintainer maintenance | manage manager management | own owner | paint painter
photograph photo photographer photography | publish publisher | repair repairer | respond response | supply supplier
translate translator | visit visitor | work worker | analyse analyze analysis | apologise apologize apology
allergy allergic allergen | anxious anxiety | diabetes diabetic | asthma asthmatic | vegetarian vegetarianism
religion religious | music musical musician | science scientist | law lawyer legal | politics political politician
medicine medical medication | surgery surgeon surgical | dentist dental | finance financial | believe belief
compare comparison | describe description | divide division | expire expiry expiration | explain explanation
extend extension | fail failure | include inclusion | inherit inheritance | introduce introduction | permit permission
pronounce pronunciation | propose proposal | receive receipt | recommend recommendation | refuse refusal
reserve reservation | resolve resolution | retire retirement | succeed success successor | survive survival
arrive arrival | depart departure | approve approval | remove removal | renew renewal
"""
"""Groups of forms of one word; each is found for each."""

_ALIKE: Final = """
address street road avenue | appointment consultation | baby infant newborn | bag rucksack backpack
bike bicycle cycle | bill invoice | boat ferry | boss manager supervisor chief | buddy friend pal mate | bug defect
car vehicle | cell mobile phone telephone | cheap inexpensive | chemist pharmacy pharmacist | cinema movie film
city town | colleague coworker teammate workmate | color colour | company firm employer business | contract agreement
couch sofa settee | country nation | customer client | cv resume | dad father daddy papa | mum mom mother mommy mama
deadline due | dinner supper | discount rebate | doctor physician gp dr | dog puppy hound | cat kitten
dislike hate detest loathe | email mail | end finish | engaged fiance fiancee engagement | error fault defect bug
exam test | expert specialist | famous celebrity | fast quick speed | favorite favourite prefer favour
flat apartment | fridge refrigerator | garbage rubbish trash waste | gift present | glad happy
glasses spectacles lenses | grandma grandmother granny nan | grandpa grandfather granddad | gym fitness | hire recruit
holiday vacation | hospital clinic | hurt injure injury wound | ill sick illness sickness
internet wifi wlan broadband | job position role | kid child | landlord landlady | laptop notebook
lawyer solicitor attorney | lesson class course | loan mortgage credit | marry wed wedding | meal dish
medicine drug medication | money cash | move relocate relocation | neighbor neighbour | nickname alias
notice notification | pain ache | password passcode | pay cost | pc computer | petrol gas fuel gasoline | pin code
plane flight airplane aircraft | price cost fee | pupil student | quit resign resignation | rain wet
rent lease tenancy | repair fix mend | restaurant bistro diner | salary wage pay earn income paycheck
scared afraid fear phobia frightened | shop store | shut close | smart clever | start begin | stolen robbed burgled
sweater jumper pullover | talk conversation | tall height | tap faucet | tax accountant | tired exhausted
trainer coach | trip journey travel | truck lorry | tutor teacher | tv television | university college uni
wallet purse | yard garden | abandon drop | accelerate speed | alert alarm | approve accept agree | backup snapshot
broker queue | build compile | choose pick select decide agree | cluster kubernetes | crash outage incident failure
database db | delete remove drop | deploy deployment rollout release | documentation docs | faulty broken
feature functionality | forbid ban prohibit disallow | host server machine node | latency slow delay | leak exposure
limit quota cap maximum max | login authentication auth signin sso | log logging | monitor observe observability
memory ram | migrate migration move switch | outdated stale old | owner responsible maintainer | repo repository git
replace replacement successor | retry retries backoff | rule policy | schedule cron | secret credential vault
secure security | ticket issue | upgrade update | vendor supplier provider | version release | vulnerability cve
workaround hack
"""
"""Groups of about one meaning; each is found for each."""

_EXACT: Final = """
doctor physician gp dr | mum mom mother mommy mama | dad father daddy papa | mobile cellphone phone telephone cell
flat apartment | password passcode | holiday vacation | bike bicycle | film movie | tv television | wifi wlan
favorite favourite | salary wage earn income | colour color | neighbour neighbor | fridge refrigerator
grandma grandmother granny | grandpa grandfather granddad | sofa couch | lawyer solicitor attorney | boss manager
glasses spectacles | chemist pharmacy | laptop notebook | bill invoice | sick ill | child kid | quit resign
gift present | garbage rubbish trash | truck lorry | sweater jumper pullover | gas petrol | price cost
university college uni | gym fitness | repair fix mend | cinema theater | database db | repository repo
documentation docs | exam test | nickname alias | journey trip | start begin | close shut
"""
"""Groups of one meaning; each is found for each."""

_KINDS: Final = """
live: move flat apartment house address home reside street road
address: live move flat house
home: house flat apartment live move
work: job employ hire company firm office position
job: work hire role
employer: work job company hire
earn: salary wage
sibling: brother sister twin
parent: mother father mum mom dad
grandparent: grandmother grandfather grandma grandpa
child: son daughter kid boy girl baby
spouse: husband wife marry
partner: husband wife boyfriend girlfriend spouse
husband: marry
wife: marry
relative: uncle aunt cousin nephew niece grandmother grandfather
family: mother father brother sister son daughter wife husband
pet: dog cat hamster rabbit parrot bird fish tortoise pony
animal: dog cat horse cow sheep pig goat chicken hen duck bird rabbit pony
vehicle: car van truck bike motorcycle motorbike scooter tractor
drive: car van truck
transport: car bus train tram bike
instrument: piano guitar violin cello flute drum trumpet saxophone clarinet accordion harp ukulele
sport: football soccer tennis swim run climb basketball volleyball hockey rugby cricket golf yoga judo karate ski
exercise: gym run swim yoga
hobby: knit pottery paint climb choir chess collect photograph garden
language: english french spanish german italian portuguese swedish danish dutch chinese japanese arabic russian
fruit: apple pear banana cherry strawberry plum grape orange lemon mango
vegetable: carrot potato tomato cabbage onion pea bean lettuce
meat: beef pork chicken lamb ham sausage
drink: tea coffee beer wine juice water
breakfast: eat
eat: food meal diet vegetarian vegan
diet: vegetarian vegan eat
allergy: intolerance intolerant epipen
medication: tablet pill mg dose prescribe
medicine: tablet pill mg dose prescribe
illness: diagnose disease
diagnose: diagnosis disease
disease: diabetes asthma cancer migraine
injury: break sprain fracture tear
surgery: operation operate
operation: surgery operate
doctor: clinic surgeon
dentist: tooth filling
trip: flight visit holiday
travel: trip flight visit fly
fly: flight airport
holiday: trip beach
abroad: flight trip
hotel: hostel inn airbnb guesthouse
train: rail railway
study: degree university college course
degree: bachelor master phd diploma graduate
school: class teacher grade
furniture: table chair sofa desk bed wardrobe shelf
clothes: dress shirt coat jacket shoe trousers
jewellery: ring necklace earring bracelet
weather: rain snow sun storm
birthday: born birth
born: birthday birth
old: age born
age: old born
phone: number
telephone: number
bank: account
insurance: policy insure
music: band song album concert
read: book novel
watch: film series movie
sing: choir
religion: church mosque temple synagogue
vote: election party
burglary: steal
money: salary price cost
cost: euro dollar pound price
rent: landlord
weigh: kg kilo pound
tall: cm metre
password: login
wifi: network router password
lunch: eat
color: red blue green yellow white black grey
colour: red blue green yellow white black grey
database: postgres postgresql mysql sqlite mongodb
cloud: aws gcp azure
queue: kafka rabbitmq nats sqs
cache: redis memcached
framework: django flask react vue rails spring
editor: vim emacs vscode
cicd: pipeline
ci: pipeline build
oncall: pager rotation
"""
"""A word, and those that are found for it but not the other way round."""

_OPPOSITE: Final = """
open opened: close closed shut
closed close shut: open opened
eat have food: allergic allergy intolerant intolerance coeliac celiac avoid dislike hate
drink: allergic intolerant quit abstain teetotal avoid dislike hate
tolerate stand bear: allergic intolerant intolerance hate
allowed allow may permitted: forbidden forbid banned ban prohibited
like love enjoy: dislike hate detest loathe
want: refuse decline reject
work working: broken break defective fail failed
survive survived: die died dead death perish
win won: lose lost
attend come came join joined go went: miss missed skip skipped absent declined decline cancelled canceled
pass passed: fail failed
accept accepted approve approved agree agreed: reject rejected refuse refused decline declined
need needed necessary: unnecessary optional superfluous
use used: stop stopped drop dropped abandon abandoned deprecated
buy bought: return returned
travel fly drive swim ride: afraid fear phobia forbidden banned
available: sold unavailable
succeed succeeded: fail failed
support supported: against oppose opposed
remember: forget forgot forgotten
find found: lost lose missing
finish finished complete: abandon abandoned unfinished
"""
"""Words, and what says that they are not so."""


def related_terms(
    terms: Sequence[str], *, names: Set[str] = frozenset(), negated: bool = False
) -> Mapping[str, Mapping[str, float]]:
    """Index terms of a question → the terms of related words and what each counts, 0..1. Names have none, and terms of
    the question itself are not among them. One that is `negated` (*what can't I eat?*) is not answered by other forms
    of its words (*ate*), but by what says the opposite (*allergic*)."""
    known, asked = _opposite if negated else _alike, set(terms)
    found = {
        term: {other: share for other, share in known(term).items() if other not in asked}
        for term in terms
        if term not in names
    }
    return {term: others for term, others in found.items() if others}


@lru_cache(1024)
def is_word(term: str) -> bool:
    """Whether the term is that of a word that is listed here."""
    return any(term in word_terms(words) for words, _, _ in _lists().get(term[:2], ()))


@lru_cache(1024)
def _alike(term: str) -> Mapping[str, float]:
    """The terms of the words that are related to those of a term, and what each counts."""
    return _beside(term, _lists())


@lru_cache(1024)
def _opposite(term: str) -> Mapping[str, float]:
    """The terms of the words that say the opposite, and what each counts."""
    return _beside(term, _opposites())


def _beside(term: str, lists: _Lists) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for words, others, share in lists.get(term[:2], ()):
        if term in word_terms(words):
            found.update({other: share for other in word_terms(others) if other != term})
    return found


@cache
def _lists() -> _Lists:
    """All lists; of those with one word the last one counts."""
    kinds = [(kind, others, _NEAR) for kind, _, others in _lines(_KINDS)]
    groups = [
        (group, group, share)
        for text, share in ((_ALIKE, _NEAR), (_EXACT, _SAME), (_FORMS, _SAME))
        for group in text.replace("\n", "|").split("|")
    ]
    return _by_letters([*kinds, *groups])


@cache
def _opposites() -> _Lists:
    return _by_letters([(words, others, _SAME) for words, _, others in _lines(_OPPOSITE)])


def _lines(text: str) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in text.strip().split("\n")]


def _by_letters(lists: Iterable[tuple[str, str, float]]) -> _Lists:
    """The lists by the first two letters of their words. Stems have the same, so a question stems few of the words."""
    found: dict[str, list[tuple[str, str, float]]] = {}
    for one in lists:
        for letters in {word[:2] for word in one[0].replace("-", " ").split()}:
            found.setdefault(letters, []).append(one)
    return found
