"""The names of months, in full and short, in the languages of most sites with Latin or Cyrillic letters."""

from __future__ import annotations

# English, German, French, Spanish, Italian, Portuguese, Dutch, Scandinavian, Polish, Czech, Turkish, Russian and
# Ukrainian, in the form that stands in a date (genitive, where there is one); for each month one line in Latin and one
# in Cyrillic letters. `listopada` is November in Polish and Ukrainian, October in Croatian: the larger use wins.
_NAMES = """
january jan januar jänner janvier janv enero ene gennaio gen janeiro januari stycznia sty ledna ocak oca
января янв січня січ
february feb februar feber février févr fév febrero febbraio fevereiro fev februari lutego lut února şubat şub
февраля фев февр лютого
march mar märz mär mrz mars marzo março maart mrt marts marca března mart
марта мар березня бер
april apr avril avr abril abr aprile kwietnia kwi dubna nisan nis
апреля апр квітня кві
may mai mayo maggio mag maio mei maj maja května mayıs
мая май травня тра
june jun juni juin junio giugno giu junho czerwca cze června haziran haz
июня июн червня чер
july jul juli juillet juil julio luglio lug julho lipca lip července temmuz tem
июля июл липня лип
august aug août aoû agosto ago augustus augusti sierpnia sie srpna ağustos ağu
августа авг серпня сер
september sep sept septembre septiembre settembre set setembro września wrz září eylül eyl
сентября сен сент вересня вер
october oct oktober okt octobre octubre ottobre ott outubro out października paź října ekim eki
октября окт жовтня жов
november nov novembre noviembre novembro listopada kasım kas
ноября ноя нояб листопада
december dec dezember dez décembre déc diciembre dic dicembre dezembro grudnia gru prosince aralık ara desember
декабря дек грудня гру
""".strip().split("\n")
MONTHS = {name: line // 2 + 1 for line, names in enumerate(_NAMES) for name in names.split()}
"""The number of each month, by its name in lower case, without a final dot."""
