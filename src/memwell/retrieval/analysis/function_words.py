"""Words of the languages other than English by which a text is known.

Function words (articles, pronouns, prepositions, auxiliaries, question words) are left out of the index and of every
question in that language. All are folded. Those of Danish, Dutch, Finnish, French, German, Hungarian, Indonesian,
Irish, Italian, Norwegian, Portuguese, Russian, Spanish and Swedish contain Snowball's lists (snowballstem.org, BSD).
"""

from typing import Final

__all__ = ["DAILY_WORDS", "FUNCTION_WORDS"]

FUNCTION_WORDS: Final = {
    "de": """aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes anderm
andern anderr anders ans auch auf aufs aus bei beim bekam bekommen bekommt bin bis bist bitte da
damit dann darf das dass dasselbe dazu dein deine deinem deinen deiner deines dem demselben den denn
denselben der derer derselbe derselben derzeit des desselben dessen dich die dies diese dieselbe
dieselben diesem diesen dieser dieses dir doch dort du durch durfen eben ein eine einem einen einer
eines einig einige einigem einigen einiger einiges einmal er es etwa etwas euch euer eure eurem
euren eurer eures fur furs gab ganz gegen geht gemacht gerade gern gerne gewesen gibt ging hab habe
haben habt hat hatte hatten heissen heisst hiess hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren
ihrer ihres im immer in indem ins ist ja jede jedem jeden jeder jedes jemand jene jenem jenen jener
jenes jetzt kam kann kein keine keinem keinen keiner keines kommt konnen konnte lautet liegt machen
macht mag mal man manche manchem manchen mancher manches mein meine meinem meinen meiner meines mich
mir mit mochte mochten muss mussen musste nach nein nicht nichts nie niemand noch nun nur ob oder
ohne schon sehr sei sein seine seinem seinen seiner seines seit selbst sich sie sind so solche
solchem solchen solcher solches soll sollte sondern sonst steht uber um und uns unse unsem unsen
unser unsere unserem unseren unserer unseres unses unter viel viele vieler vom von vor wahrend wann
war ware waren warst warum was weg weil weiter welche welchem welchen welcher welches wem wen wenn
wer werde werden weshalb wessen wie wieder wieso wieviel will wir wird wirst wo wofur woher wohin
wollen wollte womit woran woruber wozu wurde wurden zu zum zur zurzeit zwar zwischen""",
    "nl": """aan al alle alles als altijd andere ben bij daar dan dat de deed der deze die dit doch doen doet
door dus een eens en er gaat ge gedaan geen geweest geworden ging graag haar had hadden heb hebben
heeft heel heet hem het heten hij hoe hoeveel hun iemand iets ik in is ja je jullie kan komt kon
kreeg krijgt kunnen kwam ligt maakt maar mag me meer men met mij mijn moest moet moeten mogen na
naar nee niet niets nog nooit nu of om omdat onder ons onze ook op over reeds sinds staat te tegen
toch toen tot u uit uw van veel voor waar waarmee waarom waarvoor wanneer want waren was wat wel
welk welke werd werden wezen wie wiens wil wilde willen worden wordt zal ze zelf zich zij zijn zo
zonder zou""",
    "sv": """aldrig alla allt alltid an annu ar at att av bara blev bli blir blivit da dar de dem den denna deras
dess dessa det detta dig din dina ditt du efter ej eller en er era ert ett fanns far fick finns for
fran gar gick gjorde gjort gor ha hade haft han hans har henne hennes heter hette hon honom hur i
icke inga ingen inget innan inom inte ja jag ju kan kom kommer kunde lag ligger man manga maste med
mellan men mig min mina mitt mot mycket nagon nagot nagra nar nej ni nu och ocksa om oss over pa sa
sadan sadana sadant samma sedan sig sin sina sitt sjalv ska skall skulle som star stod till under
upp ut utan vad var vara varfor varit varje vars vart vem vems vi vid vilka vilkas vilken vilket
vill ville""",
    "da": """ad af aldrig alle alt altid anden at blev blevet blive bliver da de dem den denne der deres det
dette dig din dine disse dit dog du efter eller en end endnu er et far fik findes for fra gar gik
gjorde gjort gor haft ham han hans har havde have hed hedder hende hendes her hos hun hvad hvem
hvilke hvilken hvilket hvis hvor hvordan hvorfor hvornar i ikke ind ingen intet ja jeg jer jeres jo
kan kom kommer kun kunne la ligger ma man mange matte med meget men mig min mine mit mod nar ned nej
nogen noget nogle nu og ogsa om op os over pa sa sadan selv siden sig sin sine sit skal skulle som
star stod thi til ud uden under vaere vaeret var ved vi vil ville vor vores""",
    "no": """a aldri alle alltid alt at av bade bae bare begge ble blei bli blir blitt da de deg dei deim deira
deires dem den denne der dere deres det dette di din dine disse ditt du dykk dykkar eg ei ein eit
eitt eller elles en enn enna er et ett etter far fikk for fordi fra gar gikk gjor gjorde gjort ha
hadde han hans har hatt hennar henne hennes her het heter hja ho hoe honom hoss hossen hun hva hvem
hver hvilke hvilken hvilket hvis hvor hvordan hvorfor i ikke ikkje ingen ingi inkje inn inni ja jeg
kan kom kommer korleis korso kun kunne kva kvar kvarhelst kven kvi kvifor la ligger ma man mange
matte me med medan meg meget mellom men mi min mine mitt mot mye mykje na nar ned nei no noe noen
noka noko nokon nokor nokre og ogsa om opp oss over pa sa samme sann seg selv si sia sidan siden sin
sine sitt sjol skal skulle slik so som somme somt star sto til um under upp ut uten vaere vaert var
vare vart varte ved vere verte vi vil ville vore vors vort""",
    "fi": """aina asuu ei eivat eli emme en ennen et etta ette han haneen hanella hanelle hanelta hanen hanessa
hanesta hanet hanta he heidan heidat heihin heilla heille heilta heissa heista heita ilman itse ja
jalkeen jo johon joiden joihin joiksi joilla joille joilta joina joissa joista joita joka joksi
jolla jolle jolta jona jonka jos jossa josta jota joten jotka kanssa keiden keihin keiksi keilla
keille keilta keina keissa keista keita keneen keneksi kenella kenelle kenelta kenen kenena kenessa
kenesta kenet keta ketka koska kuin kuinka kuka kumpi kun kylla me meidan meidat meihin meilla
meille meilta meissa meista meita mihin mika miksi milla mille milloin milta mina minka minne minua
minulla minulle minulta minun minussa minusta minut minuun missa mista mita miten mitka monta mukaan
mutta myos naiden naihin naiksi nailla naille nailta naina naissa naista naita nama ne niiden niihin
niiksi niilla niille niilta niin niina niissa niista niita noiden noihin noiksi noilla noille noilta
noin noina noissa noista noita nuo nyt ole olemme olen olet olette oli oliko olimme olin olisi
olisimme olisin olisit olisitte olisivat olit olitte olivat olla olleet ollut on onko ovat paljonko
pitaa poikki saa se seka sen siihen siina siita siksi silla sille silta sina sinua sinulla sinulle
sinulta sinun sinussa sinusta sinut sinuun sita sitten tahan tai taksi talla talle talta tama taman
tana tassa tasta tata taytyy te teidan teidat teihin teilla teille teilta teissa teista teita tekee
tuo tuohon tuoksi tuolla tuolle tuolta tuon tuona tuossa tuosta tuota vaan vai vaikka vain viela voi
yli""",
    "hu": """a abban ahhoz ahogy ahol aki akik akkor alatt altal altalaban amely amelyek amelyekben amelyeket
amelyet amelynek ami amig amikor amit amolyan annak arra arrol at az azert azok azon azonban azt
aztan azutan azzal bar be belul benne cikk cikkek cikkeket csak de e ebben eddig egesz egy egyeb
egyes egyetlen egyik egyre ehhez ekkor el eleg ellen elo eloszor elott elso emilyen en ennek enyem
eppen erre es ez ezek ezen ezert ezt ezzel fel fele ha hanem hany hiszen hogy hogyan hol honnan hova
igen igy ill ill. illetve ilyen ilyenkor is ismet ison itt jo jobban jol kell kellett keressunk
keresztul ki kinek kit kivul kozott kozul legalabb legyen lehet lehetett lenne lenni lesz lett maga
magat majd mar mas masik meg mellett mely melyek melyik mennyi mert mi miert mig mikor milyen minden
mindenki mindent mindig mint mintha mit mivel most nagy nagyobb nagyon ne neha nehany nekem neki
nekunk nelkul nem nincs o ok oket olyan ossze ott pedig persze ra s sajat sem semmi soha sok sokat
sokkal szamara szemben szerint szinte szokott talan tehat teljes tobb tovabb tovabba ugy ugyanis uj
ujabb ujra utan utana utolso vagy vagyis vagyok valaki valami valamint valo van vannak vele vissza
viszont volna volt voltak voltam voltunk""",
    "fr": """a ai aie aient aies ait aller alors appelle appelles apres as au aurai auraient aurais aurait aurez
auriez aurions aurons auront aussi autre autres aux avaient avais avait avant avec avez aviez avoir
avons ayant ayez ayons bien c ca car ce ceci cela celle celui ces cet cette ceux chez chose combien
comment d dans de deja depuis des doit doivent donc du elle elles en encore entre es est et etaient
etais etait etant etee etees etes etiez etions etre eu eue eues eumes eurent eus eusse eussent
eusses eussiez eussions eut eutes eux faire fait faut fumes furent fus fusse fussent fusses fussiez
fussions fut futes ici il ils j jamais je jusqu l la laquelle le lequel les lesquels leur leurs
lorsqu lui m ma maintenant mais me meme mes moi mon n ne nos notre nous on ont ou par pas peu peut
peuvent plus pour pourquoi puis puisqu qu quand que quel quelle quelles quelque quels qui quoi rien
s sa sans se sera serai seraient serais serait seras serez seriez serions serons seront ses si soi
soient sois soit sommes son sont sous soyez soyons sur t ta te tes toi ton toujours tous tout toute
toutes tres trop tu un une va vers veut vont vos votre vous y""",
    "es": """a adonde ahora al algo alguien algunas algunos ante antes aquel asi aun bajo cada como con contra
cual cuales cuando cuanta cuantas cuanto cuantos de debe deben debo del desde donde durante e el
ella ellas ellos en entonces entre era erais eramos eran eras eres es esa esas ese eso esos esta
estaba estabais estabamos estaban estabas estad estada estadas estado estados estais estamos estan
estando estar estara estaran estaras estare estareis estaremos estaria estariais estariamos estarian
estarias estas este esteis estemos esten estes esto estos estoy estuve estuviera estuvierais
estuvieramos estuvieran estuvieras estuvieron estuviese estuvieseis estuviesemos estuviesen
estuvieses estuvimos estuviste estuvisteis estuvo fue fuera fuerais fueramos fueran fueras fueron
fuese fueseis fuesemos fuesen fueses fui fuimos fuiste fuisteis ha habeis habia habiais habiamos
habian habias habida habidas habido habidos habiendo habra habran habras habre habreis habremos
habria habriais habriamos habrian habrias hace hacen hacer hacia hago han has hasta hay haya hayais
hayamos hayan hayas he hemos hizo hube hubiera hubierais hubieramos hubieran hubieras hubieron
hubiese hubieseis hubiesemos hubiesen hubieses hubimos hubiste hubisteis hubo ir la las le les llama
llamo lleva llevan llevo lo los mas me menos mi mia mias mio mios mis mucho muchos muy nada nadie ni
no nos nosotras nosotros nuestra nuestras nuestro nuestros nunca o os otra otras otro otros para
pero poco poder por porque puede pueden puedo pues que quien quienes quiere quiero se sea seais
seamos sean seas segun ser sera seran seras sere sereis seremos seria seriais seriamos serian serias
si sido siempre siendo sin sobre sois somos son soy su sus suya suyas suyo suyos tambien tampoco
tanto te tendra tendran tendras tendre tendreis tendremos tendria tendriais tendriamos tendrian
tendrias tened teneis tenemos tener tenga tengais tengamos tengan tengas tengo tenia teniais
teniamos tenian tenias tenida tenidas tenido tenidos teniendo ti tiene tienen tienes toda todas
todavia todo todos tras tu tus tuve tuviera tuvierais tuvieramos tuvieran tuvieras tuvieron tuviese
tuvieseis tuviesemos tuviesen tuvieses tuvimos tuviste tuvisteis tuvo tuya tuyas tuyo tuyos u un una
unas uno unos usted ustedes va van vosotras vosotros voy vuestra vuestras vuestro vuestros y ya yo""",
    "pt": """a agora ainda algo alguem ao aonde aos aquela aquelas aquele aqueles aquilo as ate cada chama chamo
com como da das de dela delas dele deles depois desde deve devo do dos e ela elas ele eles em entao
entre era eram eramos essa essas esse esses esta estamos estao estar estas estava estavam estavamos
este esteja estejam estejamos estes esteve estive estivemos estiver estivera estiveram estiveramos
estiverem estivermos estivesse estivessem estivessemos estou eu faco faz fazem fazer fez fica foi
fomos for fora foram foramos forem formos fosse fossem fossemos fui gosta gosto ha haja hajam
hajamos hao havemos havia hei houve houvemos houver houvera houveram houveramos houverao houverei
houverem houveremos houveria houveriam houveriamos houvermos houvesse houvessem houvessemos ir isso
isto ja lhe lhes mais mas me menos mesmo meu meus minha minhas muita muito na nada nao nas nem
ninguem no nos nossa nossas nosso nossos num numa nunca o onde os ou outra outras outro outros para
pela pelas pelo pelos pode podem poder pois por porque posso quais qual quando quanta quantas quanto
quantos que quem quer quero sao se seja sejam sejamos sem sempre ser sera serao serei seremos seria
seriam seriamos seu seus sim so sobre somos sou sua suas tambem te tem temos tenha tenham tenhamos
tenho ter tera terao terei teremos teria teriam teriamos teu teus teve tinha tinham tinhamos tive
tivemos tiver tivera tiveram tiveramos tiverem tivermos tivesse tivessem tivessemos toda todas todo
todos tu tua tuas um uma umas uns vai vao voce voces vos vou""",
    "it": """a abbia abbiamo abbiano abbiate ad adesso agl agli ai al all alla alle allo allora altra altre altri
altro anche ancora andare avemmo avendo avere avesse avessero avessi avessimo aveste avesti avete
aveva avevamo avevano avevate avevi avevo avra avrai avranno avrebbe avrebbero avrei avremmo avremo
avreste avresti avrete avro avuta avute avuti avuto c che chi chiama chiamo ci coi col come con
contro cos cosa cui d da dagl dagli dai dal dall dalla dalle dallo degl degli dei del dell della
delle dello deve devo devono di dov dove e ebbe ebbero ebbi ed entro era erano eravamo eravate eri
ero essendo essere fa faccia facciamo facciano facciate faccio facemmo facendo facesse facessero
facessi facessimo faceste facesti faceva facevamo facevano facevate facevi facevo fai fanno fara
farai faranno fare farebbe farebbero farei faremmo faremo fareste faresti farete faro fatto fece
fecero feci fosse fossero fossi fossimo foste fosti fra fu fui fummo furono gia gli ha hai hanno ho
i il in io l la le lei li lo loro lui ma mai meno mi mia mie miei mio molta molto ne negl negli nei
nel nell nella nelle nello nessuno niente noi non nostra nostre nostri nostro nulla o ogni ora per
perche piu poi posso possono potere puo qual qualcosa qualcuno quale quali quando quanta quante
quanti quanto quel quell quella quelle quelli quello quest questa queste questi questo sara sarai
saranno sarebbe sarebbero sarei saremmo saremo sareste saresti sarete saro se sei sempre senza serve
si sia siamo siano siate siete sono sta stai stando stanno stara starai staranno starebbe starebbero
starei staremmo staremo stareste staresti starete staro stata stato stava stavamo stavano stavate
stavi stavo stemmo stesse stessero stessi stessimo steste stesti stette stettero stetti stia stiamo
stiano stiate sto su sua sue sugl sugli sui sul sull sulla sulle sullo suo suoi ti tra tu tua tue
tuo tuoi tutta tutte tutti tutto un una uno va vado vanno vi voglio voi vostra vostre vostri vostro
vuole""",
    "ro": """a acea aceasta acel acest aceste acesti acum ai al ale am are asta au avea avem aveti ca cand care
cat cata cate cati ce cea cei cel cele ceva cine cineva cu cum da daca dar de deja despre din doar
dupa e ea ei el ele era erau este esti eu fac face fara fi foarte fost imi in inca intre isi iti la
langa le lor lui ma mai mea mei mele mereu merge meu ne niciodata nimic niste noastra noastre noi
nostri nostru nu numai numeste o pana pe pentru poate pot prin sa sau se si sunt ta tau te toata
toate tot toti trebuie tu un unde unei unui va voi vrea vreau""",
    "ca": """a aixo al algu als altra altre altres amb anar aquell aquest aquesta aquestes aquests ara cada com d
de del dels des dic diu el ell ella elles ells els em en encara ens entre era eren es esta estan
estava et fa fan fer fins fou ha han havia he hi i ja jo l la les li lo m mai menys mes meu meus
meva meves molt molta n ni ningu no nosaltres nostra nostre nostres o on per pero perque poden pot
quan quant quanta quantes quants que qui quin quina quines quins res s sempre sense ser seu seva si
sobre son t tambe te tenen tenia tenim teu tinc tot tota totes tots tu un una unes uns us va vaig
van vol vull""",
    "pl": """a albo ale bardzo beda bedzie bez bo byc byl byla bylo byly chce ci cie co cos czemu czy czyj czyja
czyje czym dla dlaczego do dokad gdy gdzie go i ich ile ilu im ja jak jaka jaki jakie jakiej jakim
jego jej jesli jest jestem jeszcze juz kiedy kim kogo komu kto ktora ktore ktorego ktorej ktory
ktorym ktos lub ma maja mam mamy mi mial miala miec miedzy mnie moge moj moja moje mojego mojej moze
mozna mu musi musze my na nad nam nas nasz nasza nasze naszego naszej nazywa nazywam nic nie nigdy
nikt o od on ona oni ono oraz po pod przed przez przy sa sie skad swoj swoja swoje ta tak takze te
tego tej ten teraz tez to trzeba twoj ty tych tylko tym u w we wiec wszyscy wszystkie wszystko wy z
za zawsze ze zeby""",
    "cs": """a aby ale ano bez bude budou byl byla byli bylo byt chce ci co do ho i ja jak jaka jake jaky je jeho
jejich jen jeste ji jim jmenuje jsem jsi jsme jsou kam kde kdo kdy kdyz koho kolik komu ktera ktere
ktereho ktery ma maji mam mame me meho mel mela mezi mi mit moje moji mu muj musi musim muze muzu my
na nad nam nas nase naseho ne nebo neco nekdo nic nikdo nikdy o od odkud on ona oni ono po pod pouze
pred pres pri pro proc protoze se si svou svuj ta tak take taky te ted ten ti tim to toho tom ty u
uz v ve velmi vsechno vsechny vsichni vy vzdy z za ze""",
    "sr": """ako ali bez bila bili bilo bio biti ce ciji cu da do ga gde gdje i ih ili im ima imaju imam imamo iz
izmedu ja je jer joj jos kad kada kako ko kod kog koga koja koje koji koliko kroz me mi mogu moj
moja moje mora moze mu na nad nam nas nasa nase ne neko nesto nije nikad nista nisu o od odakle on
ona oni ono ova ovaj ovo po pod pred pri sada sam samo se si smo sta su sve svi svoj ta taj takode
te ti to treba u uvek vec vi vrlo za zasto ако али без била били било био бити већ где да до за
зашто и из или има имам када како ко кога код колико која које који ме ми може мора моја на наш наша
не није о овај од он она по сада сам само све свој се смо су тај ти то треба у увек шта ја је јер
још ће""",
    "lt": """apie arba as be bet bus buvo dabar dar gali i iki ir is jau jei ji jie jis jo jos jus kad kada kaip
kas kiek kieno kodel kokia koks kur kuri kuris labai mano mes musu ne nes niekada nieko nuo pat per
po prie reikia savo si sis su ta tai taip tas tavo tik tu turejo turi turiu uz visada visi viskas
yra""",
    "et": """aga ainult alati ei enne et ilma ja jah juba ka keda keegi kelle kes koik koos kuhu kui kuidas
kunagi kus kust ma me meie meil midagi miks millal milline mina minu mis mitte mitu mul nad need
nemad nuud olema oleme olen oli olid oma on palju parast sa seda see selle sest sina sinu ta tal te
teie tema vaga veel voi""",
    "tr": """ama artik az bana bazi ben bende beni benim bir biz bizde bize bizi bizim bu bunu bunun butun cok
cunku da daha de degil eder eger en etti evet fakat gibi gore hala hangi hayir hep her hic icin ile
ise kac kaca kadar kendi ki kim kime kimin mi mu nasil ne neden nerede nereden nereye nicin niye o
olacak olan olarak oldu olur ona once onlar onlarin onu onun sana sen seni senin sey simdi siz sizin
sonra su tum var ve veya ya yok zaman""",
    "id": """ada adalah akan aku anda antara apa apabila atau ataupun bagaimana bagi bahwa banyak beberapa begitu
beliau belum berapa bila bisa boleh bukan dalam dan dapat dari daripada demikian dengan di dia
dimana hampir hanya harus hingga ia ialah ini itu jika juga kalau kalian kami kamu kapan karena ke
kemudian kenapa kepada ketika kita lebih maka mana masih maupun melainkan melalui memiliki mengapa
mereka meskipun namun nya oleh pada paling pernah punya saja sama sana sangat satu saya sebagai
sebuah secara sedang sedangkan sehingga sekarang selain selalu semua sendiri seorang seperti serta
seseorang setelah setiap siapa suatu sudah tanpa tapi telah terlalu tersebut tetapi tidak untuk
yaitu yakni yang""",
    "ga": """a ach ag agus an aon ar arna as b ba beirt bhi bhur bionn ca cad caoga cathain ce cead ceathair
ceathrar cen chomh chto chuig chun cois conas cuig cuigear d da daichead dar de deich deichniur den
dha do don dti e eis faoi faoin faoina faoinar fara fiche gach gan go gur haon hocht i iad idir in
ina inar ins is le leis lena lenar m mar me mhead mo muid na nach naoi naonur ni nil nior no nocha o
ocht ochtar on ona onar os raibh roimh sa se seacht seachtar seachto seasca seisear seo si siad sibh
sin sinn sna ta tar thar thu tri trina trinar triocha triur tu um""",
    "eu": """bai baina bere beti da dago daude dauka daukat dira ditu du dugu dut dute edo egin ere eta ez gara
genuen guk gure hau hori hura izan naiz nik nire noiz nola non nor nuen orain oso zein zen zenbat
zer zergatik ziren zuen zure""",
    "eo": """al ankau ankorau antau au ci ciam ciuj de devas el en estas estis estos gi havas ili ilia jam jes
kaj ke kial kiam kie kiel kies kio kiom kiu kun la li lia mi mia ne neniam ni nia nun nur per por
post povas pri se sed sen si sia sub sur tio tiu tre vi via""",
    "ru": """а без более больше будет будто будут бы был была были было быть в вам вас вдруг ведь во вот впрочем
все всегда всего всех всю вы где говорил да даже два для до должен другои его ее еи ему если есть
еще ж же жизнь за зачем здесь зовут и из или им имеет иногда их к кажется как какая какие каким
какого какое какои каком какую кем ко когда кого кому конечно которая которое которые которыи кто
куда ли лучше между меня мне много мое моего моеи моем может можно мои моих моя мы на над надо
наконец нам нас наш наша наше нашего нашеи нашем наши не него нее неи нельзя нет ни нибудь никогда
ним них ничего но ну нужно о об один он она они оно опять от откуда очень перед по под после потом
потому почему почти при про раз разве с сам свое свои свою своя себе себя сеичас сказал сказала
сказать сколько со совсем та так также такои там твои те тебе тебя тем теперь то тогда того тоже
только том тот три тут ты у уж уже хорошо хоть чего чеи человек чем через что чтоб чтобы чуть чье
чья эта эти это этого этои этом этот эту я""",
    "uk": """або але без бо був буде будуть була були було бути в вже ви вона вони воно все від він де для до
дуже з за завжди зараз звати звідки зі и иого кого коли кому котрии куди лише маю має маємо мене
мені ми може можна моя моє моєі моі між міи на навіщо над нам нас наш наша наше наші не ні ніколи
ніхто нічого перед по при про під свіи скільки собі та так також тебе теж тепер ти то тои треба
тільки у усе хто це цеи ця ці через чи чому ще що щоб я як яка яке якии якого якщо які є і із ім іх
іі""",
    "bg": """а аз ако без беше бил била бяха в вече вие винаги всичко във ги да до е за защо и или има имам имаме
как какво кога кое кои колко коя къде ме между ми много може мои моя моят му на над наш нашата не ни
ние никога но от още по под пред при с са само се сега си сме съм със също тази те тези ти то това
този тои трябва тя че чии чия ще я""",
    "el": """ακομα αλλα αν απο αυτα αυτη αυτο αυτοι αυτοσ για γιατι δε δεν εγω ειμαι ειμαστε ειναι ειχα ειχε
εμεισ ενα ενασ επισησ εσεισ εσυ εχει εχουμε εχω η ηταν θα καθε και καποιοσ κατα κατι λενε μασ με
μετα μη μην μια μονο μου να ναι ο οι ολα ολοι ομωσ οταν οχι παντα πια ποια ποιεσ ποιο ποιοι ποιον
ποιοσ πολυ ποσα ποσεσ ποση ποσο ποσοι ποτε που πριν πωσ σασ σε σου στα στη στην στισ στο στον στουσ
τα την τησ τι τιποτα τισ το τον του τουσ των τωρα χωρισ ωσ""",
    "hy": """այդ այն այո այս առանց արդեն բայց բոլոր դեռ դու դուք եթե եմ են ենք ես երբ եւ է էին էր իմ ինչ ինչու
ինչպես կամ համար հետ հիմա ձեր մենք մեջ մեր միայն միշտ նա նաեւ նրա նրանք շատ ոչ ով որ որտեղ ունեմ
ունի չէ քանի քո""",
    "ar": """اذا الا الان التي الذي الذين الي اليها ان انا انت انه او اي اية ايضا اين بعد بعض بل بماذا به بها بين
تحت تكون تلك توجد ثم جدا حاليا حتي ذلك سوف سوي علي عليه عليها عن عند عندنا عندها عندي غير فقط فوق في
فيه فيها قبل قد كان كانت كانوا كذلك كل كم كما كنا كنت كيف لا لان لانه لدي لدينا لقد لكن لم لماذا لمن
لن لنا له لها لهم لو لي ليس ليست ما ماذا متي مثل مع مما من منذ منه منها نا نحن هذا هذه هل هم هنا
هناك هو هولاء هي و ولا ولكن وما يكون يوجد""",
    "fa": """از است اكنون اما ان انها او ايا ايشان اين اينها اگر با بايد بدون بر براي بعد بله به بود بودند بين تا
تو حالا خواهد خود خيلي دارد دارم داريم داشت در شد شما فقط قبل كجا كدام كسي كه كي ما من نه ها هاي هر
هرگز هست هستند هم همه هميشه هنوز هيچ و ولي يا يك پيش چرا چطور چند چه چي چيزي چگونه""",
    "he": """אבל או אותה אותו אחרי איזה איזו איך אילו אין איפה אל אלה אם אנחנו אני אף אצל אשר את אתה אתם בין בלי
גם האם הוא היא היה היו הייתה היכן היתה הם הן זאת זה יהיה יש כבר כדי כי כל כמה כמו כן לא לאן לה להיות
להם לו לי למה לנו לפני מאוד מאיפה מדוע מה מי מן מעל מתי עד עוד עכשיו על עם פעם רק של שלה שלהם שלו
שלי שלך שלנו תחת תמיד""",
    "yi": """א אבער אדער אויף און אונדזער איז איך אין איר אן געווען דאס דו די דיין דעם דער האבן האט וואס ווו ווי
ווען ווער זי זיין זענען מיט מיין מיר ניט נישט ער פארוואס פון צו""",
    "hi": """अगर अपना अपनी अपने अब अभी आप इन इस इसका उन उस उसका एक और कब कर करके करता करती करते करना कहां का कि
कितना कितनी कितने किया किस किसका किसकी किसके किसको किसने की कुछ के कैसे को कोई कौन कौनसा क्या क्यों
गई गए गया जब जाता जाती जाते जाना जिस जो तक तुम तो था थी थे दिए दिया दी द्वारा न नहीं ने पर पहले पास
बहुत बाद बारे भी मगर मत मुझे में मेरा मेरी मेरे मैं मैंने यह यहां या ये रहा रही रहे लिए लिया ली
लेकिन वह वहां वाला वाली वाले वे वो सब सा साथ सारा सारी सारे सिर्फ सी से हम हमने हमारा हमारी हमारे
हमें हां ही हुआ हुई हुए हूं है हैं हो होगा होगी""",
    "ne": """अझै अब उनी उसको ऊ कति कसको कसरी कहां कहिले कि किन कुन के को गरेको गर्छ गर्न छ छन् छैन तपाईं तर तिमी
त्यो थिए थियो देखि धेरै पनि बाट भएको भने म मा मात्र मेरो यो र लाई ले वा संग सबै सम्म हामी हाम्रो हो
होइन""",
    "ta": """அது அந்த அல்லது அவன் அவர் அவள் ஆகும் ஆனால் இது இந்த இப்போது இருந்தது இல்லை உண்டு உள்ளது எங்கள் எங்கே
எத்தனை எந்த என் என்ன என்னுடைய எப்படி எப்போது எப்போதும் எவ்வளவு ஏன் ஒரு நாங்கள் நான் நாம் நீ மற்றும்
மிகவும் யார்""",
}
"""ISO 639-1 code of a language → its words, separated by blanks."""

DAILY_WORDS: Final = {
    "de": """ab abends adresse alt alte arbeit arbeite arbeitet arzt auto bruder dezember dienstag dienstags
donnerstag donnerstags essen euro fahrt februar frau freitag freitags freund freundin geburtstag
gekauft genommen gestern handy haus heute hier hund isst jahr jahre januar juli juni katze kennwort
kind kinder klasse kosten kostet kostete krankenhaus mai mann marz mittwoch mittwochs monat montag
montags morgen morgens mutter neu neue neuer neues nummer oktober oma opa operation passwort
rechnung samstag samstags schlussel schule schwester sohn sonntag sonntags spielt strasse stuck
tablette tag telefon termin tochter trinkt uhr urlaub vater verkauft versicherung woche wohne wohnen
wohnt wohnung zahlt zahnarzt""",
    "fr": """achete adresse allergie allergique ami amie an ancien annee anniversaire ans aout appartement
aujourd avril boit boutique change chat chien chiffre cle clef comprime contrat coute decembre
demain dimanche docteur ecole enfant enfants euros facture femme fevrier fille fils frere gagne
habite habitent habitons heure heures hier hui janvier jeudi joue jour juillet juin lundi magasin
mai maison mange mardi mari mars matin medecin mercredi mere mois mot nouveau nouvelle novembre nuit
numero octobre passe pere police portable prix rendez rue samedi semaine septembre signe soeur soir
telephone travail travaille vacances vendredi vendu vieux voiture""",
    "es": """abril agosto alergia alergica alergico amiga amigo ano anos aprobado ayer bebe boda calle casa cita
clave coche colegio come compre contrasena cuesta cumpleanos dia diciembre direccion doctor domingo
encargo enero escuela euros examen factura febrero gato hermana hermano hija hijo hora horas hoy
juega jueves julio junio llave lunes madre manana marido martes marzo mayo medico mes miercoles
movil mujer nieta nieto nina nino noche novia noviembre novio nueva nuevo numero octubre padre
pastilla perro piso precio sabado semana septiembre tarde telefono trabaja trabajo vacaciones vendi
vieja viejo viernes vive vivimos vivo""",
    "pt": """abril agosto alergia alergica amanha amiga amigo aniversario ano anos apartamento bebe cachorro cao
carro casa celular chave come comprei comprimido consulta crianca custa dezembro dia domingo doutor
endereco escola euros fatura ferias fevereiro filha filho gato hoje hora horas irma irmao janeiro
joga julho junho mae maio manha marco marido medico mes mora moro mulher noite nova novembro novo
numero ontem outubro pai palavra preco quarta quinta reais rua sabado segunda semana senha setembro
sexta tarde telefone telemovel terca trabalha trabalho velho vendi vive""",
    "it": """abita abitiamo abito agosto allergia allergica allergico amica amico anni anno appartamento
appuntamento aprile automobile bambina bambino beve bottega cane casa cellulare chiave chiavi
compleanno comprato compressa costa dicembre domani domenica dopo dottor euro fattura febbraio
figlia figlio fratello gatto gennaio gioca giorno giovedi giugno ieri indirizzo lavora lavoro luglio
lunedi macchina madre maggio mangia marito martedi marzo matrimonio mattina medicoe mercoledi mese
modello moglie negozio notte novembre nozze numero nuova nuovo oggi ore ottobre padre parola
passaporto passato prezzo prima regalo sabato scade scuola sera settembre settimana sorella tecnico
telefono tiene vacanze vecchia vecchio venduto venerdi via""",
    "nl": """adres afspraak allergisch appartement augustus auto avond broer dag dinsdag dochter dokter donderdag
drinkt eet euro februari fiets gekocht gisteren hier hond huis huisarts jaar januari jaren juli juni
kat kind kinderen kost kostte maand maandag maart man mobiel moeder morgen nacht nieuw nieuwe nummer
ochtend oktober oma opa oud oude pil poes prijs rekening school sleutel speelt straat tandarts
telefoon uur vader vakantie vandaag verjaardag verkocht vriend vriendin vrijdag vrouw wachtwoord
week werk werkt woensdag wonen woont zaterdag zondag zoon zus""",
    "sv": """adress allergisk arbetar ater augusti barn barnbarn bil bodde bor bror dag dotter dricker februari
fodelsedag forsakring fredag fru gamla gammal gata hemma hund hus idag igar imorgon januari jobb
jobbar juli juni katt katten klockan kopt kopte kostade kostar kronor kvall lagenhet lakare lordag
losenord maj mamma manad mandag mars mobil mobilnummer mor morgon natt nummer ny nya nyckel nytt
oktober onsdag pappa pris rakning resor salde semester skola son sondag spelar syster tablett taket
tandlakare telefon tid tisdag torsdag vager van vecka""",
    "da": """adgangskode adresse aften allergisk ar arbejder barn bil boede bor born bror dag datter drikker
februar ferie fodselsdag fredag gade gamle gammel hjemme hund hus januar job juli juni kat katten
klokken kobt kobte kodeord kone kostede koster kroner laege lejlighed lordag maj mand mandag maned
marts mobil mor morgen nat nummer ny nye nyt oktober onsdag pille pris regning skole solgte son
sondag soster spiller spiser tandlaege telefon tid tirsdag torsdag uge ven""",
    "no": """adresse allergisk ar barn bil bodde bor bror bursdag dag datter drikker februar ferie fredag gamle
gammel gate hjemme hund hus januar jobb jobber juli juni katt katten kjopt kjopte klokken kone
koster kostet kroner kveld lege leilighet lordag mai mamma mandag maned mann mars mobil mor morgen
natt nokkel nummer ny nye nytt oktober onsdag pappa passord pille pris regning skole solgte sondag
sonn soster spiller spiser tannlege telefon time tirsdag torsdag uke venn""",
    "fi": """aamu aiti asun asunto auto avain elokuu euroa hammaslaakari heinakuu helmikuu hinta huhtikuu ilta
isa joulukuu juo katu kello kesakuu keskiviikko kissa koira koulu kuukausi laakari lapset lapsi
lasku lauantai lokakuu loma maaliskuu maanantai maksaa maksoi marraskuu mies myi numero osoite osti
paiva pelaa perjantai poika puhelin salasana sisko sunnuntai syntymapaiva syo syyskuu talo tammikuu
tiistai torstai toukokuu tyo tyot tytar uusi vaimo vanha veli viikko vuosi vuotta yo ystava""",
    "pl": """adres auto brat cena corka czerwca czwartek dentysta dom dzieci dziecko dzien godzina gra grudnia
haslo je klucz kosztowal kosztuje kot kupilam kupilem kwietnia lat lekarz lipca listopada lutego
mama marca maz miesiac mieszka mieszkam mieszkamy mieszkanie niedziela nowa nowe nowy numer
pazdziernika piatek pies pije poniedzialek praca pracuje przyjaciel rachunek rano rok samochod
sierpnia siostra sobota sprzedal sroda stara stary stycznia syn szkola tabletka tata telefon tydzien
uczulenie ulica urlop urodziny wieczorem wizyta wrzesnia wtorek zlotych zona""",
    "cs": """adresa alergie auto bratr brezna bydli bydlim cena cervence cervna cislo ctvrtek dcera den deti dite
dovolena dubna dum heslo hodin hraje klic kocka korun koupil koupila kvetna ledna lekar let
listopadu mama manzel manzelka mesic mobil narozeniny nedele nova nove novy patek pes pije pondeli
prace pracuje pritel prodal prosince rano rijna rok sestra skola sobota srpna stal stary stoji
streda syn tableta tata telefon tyden ucet ulice unora utery vecer zari zubar""",
    "hu": """anya apa aprilis ar augusztus auto barat cim csutortok eladtam este eszik ev eves februar feleseg
felesegem ferj ferjem fia fogorvos forint gyerek haz het hetfo honap iskola iszik januar jatszik
jelszo julius junius kedd kerul kulcs kutya lakas lakik lakom lanya macska majus marcius munka nap
oktober ora orvos pentek reggel regi szabadsag szam szamla szerda szombat szuletesnap telefon
testver utca vasarnap vettem""",
    "ro": """adresa an ani apartament aprilie bea caine casa cheie copii copil costa cumparat decembrie dimineata
doctor duminica factura februarie fiica fiu frate ianuarie iulie iunie joaca joi lei locuiesc
locuieste lucreaza luna luni mama mananca marti martie masina medic miercuri nastere noiembrie nou
noua numar octombrie ora parola pisica pret prieten sambata saptamana scoala seara septembrie sora
sot sotia strada tata telefon vacanta vandut vechi vineri zi""",
    "tr": """adres agustos aksam aldim anahtar annem araba aralik arkadas ay babam calisiyor carsamba cocuk cuma
cumartesi daire dis dogum doktor ekim eski ev eylul fatura fiyat gun hafta haziran iciyor is
kardesim karim kasim kedi kizim kocam kopek lira mart mayis nisan numara ocak oglum okul oturuyor
oturuyoruz oynuyor parola pazar pazartesi persembe randevu saat sabah sali sattim sifre sokak subat
tatil telefon temmuz yasinda yeni yil yiyor""",
    "ca": """abril adreca amic aniversari any anys beu carrer casa clau contrasenya costa cotxe desembre dia
dijous dilluns dimarts dimecres dissabte diumenge divendres dona escola euros factura febrer feina
fill filla gat gener germa germana gos hora juga juliol juny maig marc mare marit mati menja metge
mobil nit nou nova numero octubre pare pis preu setembre setmana telefon vacances vell vespre viu
vivim""",
}
"""Common words of notes, which tell a language, too, but have a topic."""
