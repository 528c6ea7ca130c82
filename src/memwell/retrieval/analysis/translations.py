"""Everyday words of other languages and what they are in English.

People ask in one language about what they noted in English. An embedding model that knows English only cannot join the
two, so each word of such a question that is listed here is also looked for in English. Written as a small dictionary of
what notes are about: nouns and verbs of one plain sense.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final

from memwell.retrieval.analysis.related import related_terms
from memwell.retrieval.analysis.words import Languages, word_terms

__all__ = ["related_abroad"]

_SURE: Final = 0.9
"""What the English word counts."""
_OWN: Final = 0.3
"""What another word of the same language counts, and a part of a compound."""
_COMPOUNDING: Final = frozenset("de nl sv da no".split())
"""Languages that write compounds as one word."""
_LONG: Final = range(9, 40)
"""Letters of a word that can be a compound."""
_SHORT: Final = 4
"""Letters of a part."""
_LANGUAGES: Final = ("de", "fr", "es", "it", "pt", "nl", "sv", "da no", "ru")
"""The languages of the columns, after English; Danish and Norwegian share one."""

_WORDS: Final = """
dog | hund | chien chienne | perro perra | cane | cão cachorro cadela | hond | hund hunden | hund hunden
| собака собаки собаку
cat | katze kater | chat chatte | gato gata | gatto gatta | gato gata | kat poes | katt katten | kat katten katt
| кошка кошки кошку кот кота
horse | pferd | cheval | caballo | cavallo | cavalo | paard | häst hästen | hest hesten | лошадь лошади
cow | kuh kühe | vache vaches | vaca vacas | mucca mucche | vaca vacas | koe koeien | ko kor | ko køer
| корова коровы
bird | vogel vögel | oiseau | pájaro | uccello | pássaro | vogel | fågel | fugl | птица
name called | heißt heissen name | appelle nom | llama nombre | chiama nome | chama nome | heet naam
| heter namn | hedder heter navn | зовут имя
friend boyfriend girlfriend | freund freundin freunde | ami amie amis copain copine
| amigo amiga amigos novio novia | amico amica amici fidanzato fidanzata | amigo amiga namorado namorada
| vriend vriendin vrienden | vän vänner pojkvän flickvän | ven venner kæreste venn | друг друзья подруга
mother mum | mutter mama | mère maman | madre mamá | madre mamma | mãe | moeder mama | mor mamma | mor mamma
| мать мама мамы
father dad | vater papa | père papa | padre papá | padre papà | pai | vader papa | far pappa | far pappa
| отец папа папы
brother | bruder | frère | hermano | fratello | irmão | broer | bror | bror | брат брата
sister | schwester | sœur | hermana | sorella | irmã | zus zuster | syster | søster | сестра сестры
son | sohn | fils | hijo | figlio | filho | zoon | son | søn sønn | сын сына
daughter | tochter | fille | hija | figlia | filha | dochter | dotter | datter | дочь дочери
child children kid | kind kinder | enfant enfants | niño niños hijos | bambino bambini figli | criança crianças
| kind kinderen | barn barnen | barn børn | ребенок дети
husband | mann ehemann | mari | marido esposo | marito | marido | man echtgenoot | man make | mand mann
| муж мужа
wife | frau ehefrau | femme épouse | mujer esposa | moglie | mulher esposa | vrouw | fru hustru | kone
| жена жены
grandmother grandma | großmutter oma | grand-mère mamie | abuela | nonna | avó | grootmoeder oma | mormor farmor
| mormor farmor bedstemor | бабушка бабушки
grandfather grandpa | großvater opa | grand-père papi | abuelo | nonno | avô | grootvader opa | morfar farfar
| morfar farfar bedstefar | дедушка
uncle | onkel | oncle | tío | zio | tio | oom | farbror morbror | onkel | дядя
aunt | tante | tante | tía | zia | tia | tante | faster moster | tante moster faster | тетя
cousin | cousin cousine vetter | cousin cousine | primo prima | cugino cugina | primo prima | neef nicht | kusin
| fætter kusine | двоюродный
neighbour neighbor | nachbar nachbarin nachbarn | voisin voisine | vecino vecina | vicino vicina
| vizinho vizinha | buurman buurvrouw | granne | nabo | сосед соседка
colleague | kollege kollegin | collègue | colega compañero | collega | colega | collega | kollega | kollega
| коллега
boss chief | chef chefin | chef patron | jefe jefa | capo | chefe | baas chef | chef | chef sjef | начальник шеф
twin twins | zwilling zwillinge | jumeau jumeaux jumelles | gemelo gemela gemelos gemelas
| gemello gemelli gemelle | gêmeo gêmeos | tweeling | tvilling tvillingar | tvilling tvillinger | близнецы
baby | baby säugling | bébé | bebé | neonato bimbo | bebê bebé | baby | bebis | baby | младенец малыш
house | haus | maison | casa | casa | casa | huis | hus huset | hus huset | дом дома
flat apartment | wohnung | appartement | piso apartamento departamento | appartamento | apartamento
| appartement flat | lägenhet lägenheten | lejlighed leilighet | квартира квартиры
room | zimmer | chambre pièce | habitación cuarto | camera stanza | quarto | kamer | rum rummet | værelse rom
| комната
kitchen | küche | cuisine | cocina | cucina | cozinha | keuken | kök köket | køkken kjøkken | кухня
garden | garten | jardin | jardín | giardino | jardim | tuin | trädgård trädgården | have hage | сад
door | tür | porte | puerta | porta | porta | deur | dörr dörren | dør døren | дверь
key | schlüssel | clé clef | llave | chiave | chave | sleutel | nyckel nyckeln | nøgle nøkkel | ключ ключи
live lives | wohne wohnt wohnen | habite habitons habitent vit | vive vivo vivimos | abita abito vive
| mora moro vive | woont woon wonen | bor bo | bor bo | живет живу жить живем
move moved | umgezogen umzug zieht | déménagé déménage | mudó mudanza mudarse | trasferito trasloco
| mudou mudança | verhuisd verhuizing | flyttade flytt flyttat | flyttede flyttet | переехал переехала переезд
rent | miete | loyer | alquiler | affitto | aluguel renda | huur | hyra hyran | husleje leie | аренда
street road | straße | rue | calle | via strada | rua | straat | gata gatan | gade gate | улица улице
address | adresse | adresse | dirección | indirizzo | endereço morada | adres | adress adressen | adresse
| адрес
city town | stadt | ville | ciudad | città | cidade | stad | stad staden | by byen | город городе
country | land | pays | país | paese | país | land | land | land | страна
work works job | arbeit arbeite arbeitet arbeiten beruf | travaille travail boulot métier | trabaja trabajo
| lavora lavoro | trabalha trabalho | werkt werk baan | jobbar arbetar jobb arbete
| arbejder arbejde jobber jobb | работает работа работаю работать
company firm | firma unternehmen | entreprise société | empresa compañía | azienda ditta | empresa | bedrijf
| företag företaget | firma virksomhed | компания фирма
office | büro | bureau | oficina despacho | ufficio | escritório | kantoor | kontor kontoret | kontor | офис
earn salary | verdient verdiene gehalt lohn | gagne gagner salaire | gana gano sueldo salario
| guadagna stipendio | ganha salário ordenado | verdient salaris loon | tjänar lön lönen | tjener løn lønn
| зарабатывает зарплата
money | geld | argent | dinero | soldi denaro | dinheiro | geld | pengar | penge | деньги
cost price | kostet kosten preis | coûte coûter prix | cuesta costar precio | costa prezzo | custa preço
| kost prijs | kostar pris priset | koster pris | стоит цена
pay pays | zahlt zahle bezahlt zahlen | paie payer paye | paga pago pagar | paga pagare pago | paga pagar
| betaalt betaal | betalar | betaler | платит платить
bank account | bank konto | banque compte | banco cuenta | banca conto | banco conta | bank rekening
| bank konto | bank konto | банк счет
insurance | versicherung | assurance | seguro | assicurazione | seguro | verzekering | försäkring försäkringen
| forsikring | страховка
tax | steuer | impôt impôts | impuesto impuestos | tasse imposta | imposto | belasting | skatt | skat skatt
| налог
invoice bill | rechnung | facture | factura | fattura bolletta | fatura | rekening factuur | räkning faktura
| regning faktura | счет
password | passwort kennwort | mot passe | contraseña | password parola | senha | wachtwoord
| lösenord lösenordet | adgangskode kodeord passord | пароль
wifi | wlan | wifi wi-fi | wifi | wifi | wifi | wifi | wifi | wifi | вайфай
number | nummer | numéro | número | numero | número | nummer | nummer numret | nummer | номер
phone telephone | telefon telefonnummer handy | téléphone portable | teléfono móvil | telefono cellulare
| telefone telemóvel | telefoon telefoonnummer | telefon telefonnummer | telefon telefonnummer
| телефон телефона
computer laptop | computer rechner | ordinateur | ordenador computadora | computer | computador | computer
| dator datorn | computer datamaskin | компьютер
car | auto wagen | voiture auto | coche carro auto | macchina auto automobile | carro | auto | bil bilen
| bil bilen | машина автомобиль
bicycle bike | fahrrad rad | vélo | bicicleta | bicicletta bici | bicicleta | fiets | cykel cykeln
| cykel sykkel | велосипед
plate registration | kennzeichen nummernschild | plaque immatriculation | matrícula placa | targa
| matrícula placa | kenteken | registreringsnummer | nummerplade | номер
train | zug bahn | train | tren | treno | trem comboio | trein | tåg tåget | tog toget | поезд
boat ship | boot schiff | bateau | barco | barca nave | barco | boot schip | båt båten | båd båt | лодка корабль
flight plane | flug flugzeug | vol avion | vuelo avión | volo aereo | voo avião | vlucht vliegtuig | flyg flyget
| fly flyet | рейс самолет
ticket | fahrkarte ticket karte | billet | billete entrada | biglietto | bilhete passagem | kaartje ticket
| biljett | billet billett | билет
trip journey travel | reise | voyage | viaje | viaggio | viagem | reis | resa resan | rejse reise
| поездка путешествие
holiday vacation | urlaub ferien | vacances | vacaciones | vacanza vacanze ferie | férias | vakantie | semester
| ferie | отпуск каникулы
hotel | hotel | hôtel | hotel | albergo hotel | hotel | hotel | hotell | hotel hotell | гостиница отель
passport | reisepass pass | passeport | pasaporte | passaporto | passaporte | paspoort | pass passet | pas pass
| паспорт
doctor | arzt ärztin hausarzt | médecin docteur | médico médica doctor | medico dottore | médico médica
| arts dokter huisarts | läkare doktor | læge lege | врач врача
dentist | zahnarzt zahnärztin | dentiste | dentista | dentista | dentista | tandarts | tandläkare
| tandlæge tannlege | стоматолог дантист
tooth teeth | zahn zähne | dent dents | diente dientes muela | dente denti | dente dentes | tand tanden
| tand tänder | tand tænder tann | зуб зубы
surgery operation | operation op | opération | operación cirugía | operazione intervento | operação cirurgia
| operatie | operation operationen | operation operasjon | операция операции
hospital clinic | krankenhaus klinik | hôpital clinique | hospital clínica | ospedale clinica | hospital clínica
| ziekenhuis | sjukhus sjukhuset | hospital sygehus sykehus | больница
appointment | termin | rendez-vous | cita | appuntamento | consulta marcação | afspraak | tid bokning
| aftale tid time | прием
medicine medication pill | medikament medizin tablette | médicament | medicamento medicina pastilla
| farmaco medicina | remédio medicamento | medicijn | medicin | medicin medisin | лекарство таблетки
allergic allergy | allergisch allergie | allergique allergie | alérgico alérgica alergia
| allergico allergica allergia | alérgico alérgica alergia | allergisch allergie | allergisk allergi
| allergisk allergi | аллергия
ill sick illness | krank krankheit | malade maladie | enfermo enferma enfermedad | malato malata malattia
| doente doença | ziek ziekte | sjuk sjukdom | syg sygdom syk | болен болезнь
eye | auge augen | œil yeux | ojo ojos | occhio occhi | olho olhos | oog ogen | öga ögon | øje øjne øye
| глаз глаза
knee | knie | genou | rodilla | ginocchio | joelho | knie | knä | knæ kne | колено
blood | blut | sang | sangre | sangue | sangue | bloed | blod | blod | кровь
weigh weight | wiegt gewicht | pèse poids | pesa peso | pesa peso | pesa peso | weegt gewicht | väger vikt
| vejer vægt veier | весит вес
shoe size | schuhgröße schuh schuhe | pointure chaussure chaussures | zapato zapatos talla calzado
| scarpa scarpe numero | sapato sapatos | schoenmaat schoen schoenen | skostorlek sko skor | skostørrelse sko
| размер обувь
size | größe | taille | talla tamaño | taglia misura | tamanho | maat | storlek | størrelse | размер
birthday born | geburtstag geboren | anniversaire né née naissance | cumpleaños nació nacieron
| compleanno nato nata | aniversário nasceu | verjaardag geboren | födelsedag född | fødselsdag født bursdag
| рождения родился родилась
died death | gestorben starb tod | mort morte décédé décès | murió muerte falleció | morto morta morte
| morreu morte faleceu | gestorven overleden | dog död | døde død | умер умерла смерть
wedding married | hochzeit verheiratet geheiratet | mariage marié mariée | boda casado casada casó
| matrimonio sposato sposata | casamento casado casada | bruiloft trouwde getrouwd | bröllop gift | bryllup gift
| свадьба женат замужем
old age | alt alter | âge vieux vieille | edad años | età anni | idade anos | oud leeftijd | gammal ålder
| gammel alder | лет возраст
school | schule | école | escuela colegio | scuola | escola | school | skola skolan | skole skolen | школа школе
daycare nursery kindergarten | kita kindergarten krippe | garderie crèche maternelle | guardería | asilo nido
| creche jardim | kinderopvang crèche | dagis förskola | børnehave vuggestue barnehage | садик
university | universität uni studium | université fac | universidad | università | universidade faculdade
| universiteit | universitet | universitet | университет
study studies | studiert studiere studieren | étudie études | estudia estudio | studia studiare | estuda estudo
| studeert studie | studerar pluggar | studerer læser | учится изучает
teacher | lehrer lehrerin | professeur prof maîtresse | profesor profesora maestra
| insegnante maestra professore | professor professora | leraar juf meester | lärare | lærer
| учитель учительница
exam test | prüfung | examen épreuve | examen prueba | esame | exame prova | examen toets | prov examen tenta
| eksamen prøve | экзамен
book | buch bücher | livre livres | libro libros | libro libri | livro livros | boek boeken | bok boken
| bog bok | книга книги
read | liest lese lesen gelesen | lit lire lu | lee leer leído | legge leggere letto | lê ler lido
| leest lezen gelezen | läser läsa läst | læser læse leser | читает читать
write | schreibt schreibe schreiben | écrit écrire | escribe escribir | scrive scrivere | escreve escrever
| schrijft schrijven | skriver skriva | skriver skrive | пишет писать
music | musik | musique | música | musica | música | muziek | musik musiken | musik musikk | музыка
song sing | lied singt singe singen | chanson chante chanter | canción canta cantar | canzone canta cantare
| canção canta cantar | lied zingt zingen | sång sjunger | sang synger | песня поет
choir | chor | chorale chœur | coro | coro | coro coral | koor | kör kören | kor koret | хор хоре
play plays | spielt spiele spielen | joue jouer | toca juega jugar | suona gioca | toca joga | speelt spelen
| spelar spela | spiller spille | играет играть
instrument | instrument | instrument | instrumento | strumento | instrumento | instrument | instrument
| instrument | инструмент
film movie | film | film | película | film | filme | film | film filmen | film | фильм
football soccer | fußball | football foot | fútbol | calcio | futebol | voetbal | fotboll | fodbold fotball
| футбол
swim | schwimmt schwimmen | nage nager | nada nadar | nuota nuotare | nada nadar | zwemt zwemmen | simmar simma
| svømmer svømme | плавает плавать
run | läuft laufen rennt | court courir | corre correr | corre correre | corre correr | loopt rennen
| springer springa löper | løber løpe | бегает бегать
food eat | essen isst esse | manger mange nourriture | comer come comida | mangiare mangia cibo
| comer come comida | eten eet | äter äta mat maten | spiser spise mad mat | есть ест еда
drink | trinkt trinke trinken | boit boire | bebe beber | beve bere | bebe beber | drinkt drinken
| dricker dricka | drikker drikke | пьет пить
cook cooking recipe | kocht kochen rezept | cuisine recette | cocina cocinar receta | cucina cucinare ricetta
| cozinha cozinhar receita | kookt koken recept | lagar recept | laver opskrift oppskrift | готовит рецепт
bread | brot | pain | pan | pane | pão | brood | bröd brödet | brød | хлеб
cheese | käse | fromage | queso | formaggio | queijo | kaas | ost osten | ost | сыр
milk | milch | lait | leche | latte | leite | melk | mjölk mjölken | mælk melk | молоко
butter | butter | beurre | mantequilla | burro | manteiga | boter | smör smöret | smør | масло
egg eggs | ei eier | œuf œufs | huevo huevos | uovo uova | ovo ovos | ei eieren | ägg | æg egg | яйцо яйца
meat | fleisch | viande | carne | carne | carne | vlees | kött köttet | kød kjøtt | мясо
fish | fisch | poisson | pescado pez | pesce | peixe | vis | fisk fisken | fisk | рыба
fruit apple | obst apfel äpfel | fruit pomme pommes | fruta manzana | frutta mela | fruta maçã | fruit appel
| frukt äpple | frugt æble frukt | фрукты яблоко
cake | kuchen torte | gâteau | pastel tarta | torta dolce | bolo | taart cake | tårta kaka | kage kake
| торт пирог
coffee | kaffee | café | café | caffè | café | koffie | kaffe kaffet | kaffe | кофе
tea | tee | thé | té | tè | chá | thee | te teet | te | чай
beer | bier | bière | cerveza | birra | cerveja | bier | öl ölet | øl | пиво
wine | wein | vin | vino | vino | vinho | wijn | vin vinet | vin | вино
water | wasser | eau | agua | acqua | água | water | vatten vattnet | vand vann | вода
honey | honig | miel | miel | miele | mel | honing | honung honungen | honning | мед
sugar | zucker | sucre | azúcar | zucchero | açúcar | suiker | socker | sukker | сахар
restaurant | restaurant gasthaus | restaurant | restaurante | ristorante | restaurante | restaurant | restaurang
| restaurant | ресторан
shop store | laden geschäft | magasin boutique | tienda | negozio bottega | loja | winkel | affär butik affären
| butik butikk | магазин
buy bought | gekauft kaufte kauft kaufen | acheté achète acheter | compró comprado compra
| comprato compra comprare | comprou comprado compra | gekocht kocht koopt | köpte köpt köper
| købte købt kjøpte | купил купила
sell sold | verkauft verkaufte verkaufen | vendu vend vendre | vendió vendido vende | venduto vende
| vendeu vendido vende | verkocht verkoopt | sålde sålt säljer | solgte solgt sælger | продал продала
gift present | geschenk geschenkt | cadeau | regalo | regalo | presente prenda | cadeau | present gåva
| gave presang | подарок
clock watch | uhr | montre horloge | reloj | orologio | relógio | klok horloge | klocka | ur klokke | часы
time hour | uhrzeit stunde | heure | hora | ora | hora | uur tijd | tid timme | tid time | время час
open opens | öffnet offen geöffnet | ouvre ouvert | abre abierto | apre aperto | abre aberto | open opent
| öppnar öppet | åbner åben | открывается открыт
close closed | schließt geschlossen | ferme fermé | cierra cerrado | chiude chiuso | fecha fechado
| sluit gesloten | stänger stängt | lukker lukket | закрыт закрывается
color colour | farbe | couleur | color | colore | cor | kleur | färg färgen | farve farge | цвет
red | rot rote roter | rouge | rojo roja | rosso rossa | vermelho vermelha | rood rode | röd röda | rød røde
| красный
blue | blau blaue blauer | bleu bleue | azul | blu azzurro | azul | blauw blauwe | blå blåa | blå | синий
green | grün grüne | vert verte | verde | verde | verde | groen groene | grön gröna | grøn grønn | зеленый
black | schwarz schwarze | noir noire | negro negra | nero nera | preto preta | zwart zwarte | svart svarta
| sort svart | черный
white | weiß weiße | blanc blanche | blanco blanca | bianco bianca | branco branca | wit witte | vit vita
| hvid hvit | белый
hair | haar haare | cheveux | pelo cabello | capelli | cabelo | haar | hår håret | hår | волосы
visit visits | besucht besuch | visite rend | visita | visita | visita | bezoekt bezoek | besöker besök
| besøger besøg | навестил визит
meet meeting | trifft treffen besprechung | rencontre réunion | reunión encuentro | incontro riunione
| reunião encontro | ontmoeting vergadering | möte mötet träff | møde møte | встреча совещание
speak language | spricht sprache | parle langue | habla idioma lengua | parla lingua | fala língua
| spreekt taal | talar språk | taler sprog språk | говорит язык
party celebration | feier party fest | fête | fiesta | festa | festa | feest | fest festen kalas | fest
| вечеринка праздник
church | kirche | église | iglesia | chiesa | igreja | kerk | kyrka kyrkan | kirke | церковь
weather | wetter | météo temps | tiempo clima | tempo | tempo clima | weer | väder vädret | vejr vær | погода
snow | schnee | neige | nieve | neve | neve | sneeuw | snö snön | sne snø | снег
tree | baum bäume | arbre arbres | árbol árboles | albero alberi | árvore árvores | boom bomen | träd trädet
| træ tre | дерево деревья
flower | blume blumen | fleur fleurs | flor flores | fiore fiori | flor flores | bloem bloemen | blomma blommor
| blomst blomster | цветок цветы
bee bees | biene bienen | abeille abeilles | abeja abejas | ape api | abelha abelhas | bij bijen | bi bin
| bi bier | пчела пчелы
tractor | traktor | tracteur | tractor | trattore | trator | tractor trekker | traktor | traktor | трактор
bakery | bäckerei | boulangerie | panadería | panificio panetteria forno | padaria | bakkerij | bageri bageriet
| bageri bakeri | пекарня
lost | verloren | perdu perdue | perdió perdido | perso perduto | perdeu perdido | verloren kwijt
| förlorade tappade | mistede tabte mistet | потерял потеряла
found | gefunden fand | trouvé trouvée | encontró encontrado | trovato trovata | encontrou achou | gevonden vond
| hittade hittat | fandt fundet fant | нашел нашла
broken | kaputt gebrochen | cassé cassée | roto rota | rotto rotta | quebrado partido | kapot gebroken
| trasig bruten | ødelagt brækket | сломан сломал
repair fix | repariert reparatur | réparé réparer | reparó arreglar | riparato riparare | consertou reparar
| gerepareerd repareert | lagade reparerar | reparerede | починил ремонт
contract | vertrag | contrat | contrato | contratto | contrato | contract | avtal kontrakt | kontrakt aftale
| договор
deadline due | frist abgabe | échéance | plazo vence | scadenza | prazo vence | deadline | deadline tidsfrist
| frist | срок
release version | version | version | versión | versione | versão | versie | version | version versjon | версия
server | server | serveur | servidor | server | servidor | server | server servern | server | сервер
database | datenbank | base données | base datos | database | banco dados | database | databas | database | база
team | team mannschaft | équipe | equipo | squadra team | equipe equipa | team | team laget | team hold
| команда
project | projekt | projet | proyecto | progetto | projeto | project | projekt | projekt prosjekt | проект
customer | kunde kunden | client | cliente | cliente | cliente | klant | kund kunder | kunde | клиент
hand | hand | main | mano | mano | mão | hand | hand handen | hånd | рука руку
foot feet | fuß füße | pied pieds | pie pies | piede piedi | pé pés | voet voeten | fot fötter | fod fødder fot
| нога ноги
leg | bein beine | jambe jambes | pierna piernas | gamba gambe | perna pernas | been benen | ben benet
| ben bein | нога
head | kopf | tête | cabeza | testa | cabeça | hoofd | huvud huvudet | hoved hode | голова
heart | herz | cœur | corazón | cuore | coração | hart | hjärta hjärtat | hjerte | сердце
back | rücken | dos | espalda | schiena | costas | rug | rygg ryggen | ryg rygg | спина
morning | morgen vormittag | matin | mañana | mattina | manhã | ochtend | morgon | morgen | утро утром
evening | abend abends | soir soirée | tarde noche | sera | noite | avond | kväll | aften kveld | вечер вечером
summer | sommer | été | verano | estate | verão | zomer | sommar sommaren | sommer | лето летом
winter | winter | hiver | invierno | inverno | inverno | winter | vinter vintern | vinter | зима зимой
chair table | stuhl tisch | chaise table | silla mesa | sedia tavolo | cadeira mesa | stoel tafel | stol bord
| stol bord | стул стол
bed | bett | lit | cama | letto | cama | bed | säng sängen | seng | кровать
window | fenster | fenêtre | ventana | finestra | janela | raam | fönster | vindue vindu | окно
glasses | brille | lunettes | gafas lentes | occhiali | óculos | bril | glasögon | briller | очки
clothes shirt | kleidung hemd kleider | vêtements chemise | ropa camisa | vestiti camicia | roupa camisa
| kleren hemd | kläder skjorta | tøj skjorte klær | одежда рубашка
sport training | sport training | sport entraînement | deporte entrenamiento | sport allenamento
| esporte treino desporto | sport training | sport träning träna | sport træning trening | спорт тренировка
guest guests | gast gäste | invité invités | huésped invitado invitados | ospite ospiti | hóspede convidado
| gast gasten | gäst gäster | gæst gjest | гость гости
farm | hof bauernhof | ferme | granja finca | fattoria | quinta fazenda | boerderij | gård gården
| gård bondegård | ферма
forest | wald | forêt | bosque | bosco foresta | floresta | bos | skog skogen | skov skog | лес
sea beach | meer strand | mer plage | mar playa | mare spiaggia | mar praia | zee strand | hav havet strand
| hav strand | море пляж
mountain | berg | montagne | montaña | montagna | montanha | berg | berg fjäll | bjerg fjell | гора горы
election vote | wahl stimme gewählt | élection vote | elección voto votar | elezione voto | eleição voto
| verkiezing stem | val röst röstade | valg stemme | выборы
accident | unfall | accident | accidente | incidente | acidente | ongeluk | olycka olyckan | ulykke | авария
police | polizei | police | policía | polizia | polícia | politie | polis polisen | politi | полиция
letter post | brief post | lettre poste | carta correo | lettera posta | carta correio | brief post
| brev posten | brev post | письмо почта
photo picture | foto bild bilder | photo image | foto imagen | foto immagine | foto imagem | foto | foto bild
| foto billede bilde | фото
"""
"""The English words and, behind each bar, those of another language; a line that begins with a bar goes on."""


def related_abroad(terms: Sequence[str], spoken: Languages) -> Mapping[str, Mapping[str, float]]:
    """Index terms of a question that is not in English → the terms of related words and what each counts, 0..1: their
    English words, other words of the question's language, those that are related in English, and what a compound
    begins or ends with. `spoken` are the languages of the question."""
    asked = set(terms)
    found: dict[str, dict[str, float]] = {}
    for code in spoken.values():
        for term in terms:
            others = dict(_table(code).get(term, _NONE))
            if code in _COMPOUNDING and len(term) in _LONG and term.isalpha():
                others = _of_parts(term, code) | others
            if others := {other: share for other, share in others.items() if other not in asked}:
                found.setdefault(term, {}).update(others)
    return found


def _of_parts(word: str, code: str) -> dict[str, float]:
    """What a compound begins and ends with, and what is related to that. Most are no words, and no memory has them."""
    cuts = range(_SHORT, len(word) - _SHORT + 1)
    parts = dict.fromkeys([*(word[:cut] for cut in cuts), *(word[cut:] for cut in cuts)], _OWN)
    return {o: share * _OWN for part in parts for o, share in _table(code).get(part, _NONE).items()} | parts


@cache
def _table(code: str) -> Mapping[str, Mapping[str, float]]:
    """Index term in a language → the terms of related words, English ones and those of the language."""
    own: dict[str, dict[str, None]] = {}
    table: dict[str, dict[str, float]] = {}
    rows = list(_rows(code))
    for english, words in rows:
        for term in english:
            own.setdefault(term, {}).update(dict.fromkeys(words))
    for english, words in rows:
        near = related_terms(english)
        related = {other: share for others in near.values() for other, share in others.items()}
        found = {o: share for other, share in related.items() for o in own.get(other, ())}
        found |= dict.fromkeys(words, _OWN) | dict.fromkeys(english, _SURE)
        for word in words:
            known = table.setdefault(word, {})
            for other, share in found.items():
                if other != word:
                    known[other] = max(share, known.get(other, 0.0))
    return MappingProxyType(table)


_NONE: Final[Mapping[str, float]] = MappingProxyType({})


def _rows(code: str) -> Iterator[tuple[list[str], list[str]]]:
    """The index terms of the English words and of those of a language, line by line."""
    column = next((at for at, codes in enumerate(_LANGUAGES, 1) if code in codes.split()), 0)
    script = "cyrillic" if code == "ru" else "latin"
    for line in _WORDS.strip().replace("\n|", " |").split("\n") if column else ():
        cells = line.split(" | ")
        yield word_terms(cells[0]), word_terms(cells[column], {script: code})
