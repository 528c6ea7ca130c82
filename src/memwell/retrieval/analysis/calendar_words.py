"""Month and weekday names of many languages, in lower case and without diacritics.

Written by `scripts/calendar_words.py` from the CLDR of babel 2.19.0. A line has the twelve months
or, from Monday on, the seven weekdays; `/` parts names of one, `-` means none.
"""

from typing import Final

__all__ = ["MONTHS", "SHORT_MONTHS", "WEEKDAYS"]

# fmt: off
MONTHS: Final = {
    "ar": "يناير فبراير مارس ابريل مايو يونيو يوليو اغسطس سبتمبر اكتوبر نوفمبر ديسمبر",
    "ca": "gener febrer marc abril maig juny juliol agost setembre octubre novembre desembre",
    "cs": "leden/ledna unor/unora brezen/brezna duben/dubna kveten/kvetna cerven/cervna cervence/cervenec "
        "srpen/srpna zari rijen/rijna listopad/listopadu prosince/prosinec",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "de": "feber/jaenner/janner/januar februar maerz/marz april mai juni juli august september okt/oktober "
        "november dezember",
    "el": "ιανουαριος/ιανουαριου φεβρουαριος/φεβρουαριου μαρτιος/μαρτιου απριλιος/απριλιου μαιος/μαιου "
        "ιουνιος/ιουνιου ιουλιος/ιουλιου αυγουστος/αυγουστου σεπτεμβριος/σεπτεμβριου οκτωβριος/οκτωβριου "
        "νοεμβριος/νοεμβριου δεκεμβριος/δεκεμβριου",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "et": "jaanuar veebruar marts aprill mai juuni juuli august september oktoober november detsember",
    "eu": "urtarrila otsaila martxoa apirila maiatza ekaina uztaila abuztua iraila urria azaroa abendua",
    "fi": "tammikuu/tammikuussa/tammikuuta helmikuu/helmikuussa/helmikuuta maaliskuu/maaliskuussa/maaliskuuta "
        "huhtikuu/huhtikuussa/huhtikuuta toukokuu/toukokuussa/toukokuuta kesakuu/kesakuussa/kesakuuta "
        "heinakuu/heinakuussa/heinakuuta elokuu/elokuussa/elokuuta syyskuu/syyskuussa/syyskuuta "
        "lokakuu/lokakuussa/lokakuuta marraskuu/marraskuussa/marraskuuta joulukuu/joulukuussa/joulukuuta",
    "fr": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "hi": "जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
    "hu": "januar/januarban februar/februarban marcius/marciusban aprilis/aprilisban majus/majusban "
        "junius/juniusban julius/juliusban augusztus/augusztusban szeptember/szeptemberben oktober/oktoberben "
        "november/novemberben december/decemberben",
    "hy": "հունվար/հունվարի փետրվար/փետրվարի մարտ/մարտի ապրիլ/ապրիլի մայիս/մայիսի հունիս/հունիսի հուլիս/հուլիսի "
        "օգոստոս/օգոստոսի սեպտեմբեր/սեպտեմբերի հոկտեմբեր/հոկտեմբերի նոյեմբեր/նոյեմբերի դեկտեմբեր/դեկտեմբերի",
    "id": "januari februari maret april mei juni juli agustus september oktober november desember",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "lt": "sausio/sausis vasario/vasaris kovas/kovo balandis/balandzio geguze/geguzes birzelio/birzelis "
        "liepa/liepos rugpjucio/rugpjutis rugsejis/rugsejo spalio/spalis lapkricio/lapkritis gruodis/gruodzio",
    "nb": "januar februar mars april mai juni juli august september oktober november desember",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "styczen/stycznia/styczniu lutego/luty/lutym marca/marcu/marzec kwiecien/kwietnia/kwietniu "
        "maj/maja/maju czerwca/czerwcu/czerwiec lipca/lipcu/lipiec sierpien/sierpnia/sierpniu "
        "wrzesien/wrzesnia/wrzesniu pazdziernik/pazdziernika/pazdzierniku listopad/listopada/listopadzie "
        "grudnia/grudniu/grudzien",
    "pt": "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "ro": "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "ru": "январе/январь/января феврале/февраль/февраля март/марта/марте апреле/апрель/апреля мае/маи/мая "
        "июне/июнь/июня июле/июль/июля август/августа/августе сентябре/сентябрь/сентября "
        "октябре/октябрь/октября ноябре/ноябрь/ноября декабре/декабрь/декабря",
    "sr": "januara/јануар februara/фебруар marta/март aprila/април maja/мај juna/јун jula/јул avgusta/август "
        "septembra/септембар oktobra/октобар novembra/новембар decembra/децембар",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "ta": "ஜனவரி பிப்ரவரி மார்ச் ஏப்ரல் மே ஜூன் ஜூலை ஆகஸ்ட் செப்டம்பர் அக்டோபர் நவம்பர் டிசம்பர்",
    "tr": "ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik",
    "uk": "січень/січня/січні лютии/лютого/лютому березень/березня/березні квітень/квітня/квітні "
        "травень/травня/травні червень/червня/червні липень/липня/липні серпень/серпня/серпні "
        "вересень/вересня/вересні жовтень/жовтня/жовтні листопад/листопада/листопаді грудень/грудня/грудні",
}

SHORT_MONTHS: Final = {
    "ar": "- - - - - - - - - - - -",
    "ca": "gen febr - abr - - jul - set oct nov des",
    "cs": "led uno bre dub kve cvn cvc srp zar rij lis pro",
    "da": "jan feb mar apr - jun jul aug sep - nov dec",
    "de": "jan feb mar apr - jun jul aug sep/sept - nov dez",
    "el": "ιαν φεβ μαρ απρ μαι ιουν ιουλ αυγ σεπ οκτ νοε δεκ",
    "es": "ene feb mar abr may jun jul ago sept oct nov dic",
    "et": "jaan veebr - apr - - - aug sept - nov dets",
    "eu": "urt ots mar api - eka uzt abu ira urr aza abe",
    "fi": "tammi helmi - huhti touko kesa heina elo syys loka - joulu",
    "fr": "janv fevr - avr - - juil - sept oct nov dec",
    "hi": "जन॰ फ़र॰ - - - - जुल॰ अग॰ सित॰ - नव॰ दिस॰",
    "hu": "jan febr - apr - jun jul aug szept - nov dec",
    "hy": "հնվ փտվ մրտ ապր մյս հնս հլս օգս սեպ հոկ նոյ դեկ",
    "id": "jan feb mar apr - jun jul agu sep - nov des",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "lt": "saus vas kov bal geg birz liep rugp rugs spal lapkr gruod",
    "nb": "jan feb mar apr - jun jul aug sep - nov des",
    "nl": "jan feb mrt apr - jun jul aug sep - nov dec",
    "pl": "sty lut mar kwi - cze lip sie wrz paz lis gru",
    "pt": "jan fev mar abr - jun jul ago set out nov dez",
    "ro": "ian feb mar apr - iun iul aug sept oct nov dec",
    "ru": "янв февр мар апр - июн июл авг сент окт нояб дек",
    "sr": "јан феб мар апр - - - авг сеп окт нов дец",
    "sv": "jan feb - apr - - - aug sep - nov dec",
    "ta": "ஜன பிப் மார் ஏப் - - - ஆக செப் அக் நவ டிச",
    "tr": "oca sub mar nis may haz tem agu eyl eki kas ara",
    "uk": "січ лют бер квіт трав черв лип серп вер жовт лист груд",
}

WEEKDAYS: Final = {
    "ar": "الاثنين الثلاثاء الاربعاء الخميس الجمعة السبت الاحد",
    "ca": "dilluns dimarts dimecres dijous divendres dissabte diumenge",
    "cs": "pondeli utery streda/stredu ctvrtek patek sobota/sobotu nedele/nedeli",
    "da": "mandag tirsdag onsdag torsdag fredag lordag sondag",
    "de": "montag dienstag mittwoch donnerstag freitag samstag/sonnabend sonntag",
    "el": "δευτερα τριτη τεταρτη πεμπτη παρασκευη σαββατο κυριακη",
    "es": "lunes martes miercoles jueves viernes sabado domingo",
    "et": "esmaspaev teisipaev kolmapaev neljapaev reede laupaev puhapaev",
    "eu": "astelehena asteartea asteazkena osteguna ostirala larunbata igandea",
    "fi": "maanantai/maanantaina tiistai/tiistaina keskiviikko/keskiviikkona torstai/torstaina "
        "perjantai/perjantaina lauantai/lauantaina sunnuntai/sunnuntaina",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "hi": "सोमवार मंगलवार बुधवार गुरुवार शुक्रवार शनिवार रविवार",
    "hu": "hetfo/hetfon kedd/kedden szerda/szerdan csutortok/csutortokon pentek/penteken szombat/szombaton "
        "vasarnap",
    "hy": "երկուշաբթի երեքշաբթի չորեքշաբթի հինգշաբթի ուրբաթ շաբաթ կիրակի",
    "id": "senin selasa rabu kamis jumat sabtu minggu",
    "it": "lunedi martedi mercoledi giovedi venerdi sabato domenica",
    "lt": "pirmadienis antradienis treciadienis ketvirtadienis penktadienis sestadienis sekmadienis",
    "nb": "mandag tirsdag onsdag torsdag fredag lordag sondag",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "pl": "poniedzialek wtorek sroda/srode czwartek piatek sobota/sobote niedziela/niedziele",
    "pt": "segunda-feira terca-feira quarta-feira quinta-feira sexta-feira sabado domingo",
    "ro": "luni marti miercuri joi vineri sambata duminica",
    "ru": "понедельник вторник среда/среду четверг пятница/пятницу суббота/субботу воскресенье",
    "sr": "понедељак уторак среда четвртак петак субота недеља",
    "sv": "mandag tisdag onsdag torsdag fredag lordag sondag",
    "ta": "திங்கள் செவ்வாய் புதன் வியாழன் வெள்ளி சனி ஞாயிறு",
    "tr": "pazartesi sali carsamba persembe cuma cumartesi pazar",
    "uk": "понеділок вівторок середа/середу четвер пʼятниця/пятницю субота/суботу неділю/неділя",
}
# fmt: on
