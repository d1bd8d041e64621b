"""Windows-1250 or Windows-1252: files of several languages, made up, whole and three rows at a time."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.files.code_page import code_page
from tasks.files.guess import guess
from tasks.files.open_table import open_table
from tasks.files.table import InputFileError, Reading

POLISH = """zły rozmiar;Łukasz Wiśniewski
buty za małe, proszę o zwrot pieniędzy;Małgorzata Dąbrowska
uszkodzone opakowanie;Agnieszka Wójcik
zamek się zepsuł po dwóch dniach;Paweł Kamiński
kolor inny niż na zdjęciu;Żaneta Kowalczyk
przesyłka przyszła za późno;Ewa Szymańska
rozdarty szew;Grażyna Kozłowska"""
CZECH = """příliš malé;Jiří Dvořák
poškozený obal;Kateřina Černá
špatná barva, jiná než na fotografii;Zdeněk Růžička
nelíbí se mi;Božena Němcová
zip nefunguje;Lukáš Kučera
přišlo pozdě;Věra Šťastná
bota je natržená u paty;Lenka Horáková"""
SLOVAK = """príliš malé;Ľubica Kráľová
poškodený obal;Jozef Ďurčo
nesprávna farba, iná ako na fotke;Štefan Hraško
zips nefunguje, väčšia chyba;Miloš Šťastný
nepáči sa mi;Zuzana Vajčíková"""
HUNGARIAN = """túl kicsi;Kovács Ágnes
a cipő túl szűk;Szűcs Gergő
sérült csomagolás;Nagy László
rossz minőségű anyag;Kőszegi Erzsébet
a cipzár elromlott;Győri Zsófia
későn érkezett;Bíró Eszter
felső rész szakadt;Erdős Tünde"""
SLOVENE = """premajhna velikost;Janez Krašovec
poškodovana embalaža;Boštjan Žižek
napačna barva, všeč mi je črna;Matjaž Košček
zadrga ne dela;Špela Vovk
prišlo prepozno;Mojca Čuček"""
GERMAN = """zu klein;Jürgen Müller
Größe¹ passt nicht;Käthe Groß
Verpackung beschädigt, 2 m³;Günther Weiß
Reißverschluss defekt;Björn Köhler
Naht aufgerissen;Hans Strauß"""
FRENCH = """trop petit;Hélène Lefèvre
ne correspond pas à la taille, déçu;François Bélanger
emballage abîmé;Noëlle Gérard
reçu trop tard;Benoît Désirée
tache sur la manche, où est l'étiquette;Anaïs Bœuf
sœur a déjà le même;Thérèse Dûval"""
SPANISH = """demasiado pequeño;José Núñez
¿por qué tan caro?;Mª José Muñoz
caja dañada;Íñigo Peña
no le gusta el tamaño;Begoña Ibáñez
mancha en la manga;Nº 3 bis, 2º piso
costura rota;Toñi Añón"""
PORTUGUESE = """tamanho errado, é grande demais;João Conceição
embalagem danificada;Simões Magalhães
não gostei da cor;Antônio Guimarães
fecho avariado;Inês Assunção
devoluções múltiplas;Mônica Araújo
põe defeito em tudo;Vânia Sebastião"""
ITALIAN = """troppo piccolo, qualità bassa;Nicolò Forlì
è rotto;Niccolò Papà
perché è arrivato tardi;Luì Città
più grande;Zoè Carrà"""
DANISH = """for små, størrelsen passer ikke;Søren Kjær
beskadiget emballage;Bjørn Åkesson
fejl farve på trøje;Mærsk Østergård
lynlås gået i stykker;Jørgen Sørensen"""
ESTONIAN = """liiga väike;Õnne Pärn
katki läinud, põhjus teadmata;Tõnu Mägi
ei sobi, värv on vale;Külli Sõõrd
tõmblukk ei tööta;Jüri Võsu"""
ENGLISH = """too small \u2013 don\u2019t like it;Zoë O\xb4Neil
“naïve” café colour, £15;Renée Smith
Ø 20 cm;Jürgen Groß
ok;João Simões
broken zip;Nicolò Forlì
arrived late;Søren Kjær
wrong;Tõnu Núñez"""
"""With names of shoppers from several countries."""
CENTRAL = [POLISH, CZECH, SLOVAK, HUNGARIAN, SLOVENE]
WESTERN = [GERMAN, FRENCH, SPANISH, PORTUGUESE, ITALIAN, DANISH, ESTONIAN, ENGLISH]
HEAD = "return_id;sku;comment;name"


def content(rows: Sequence[str], encoding: str) -> bytes:
    return "\r\n".join([HEAD, *(f"R-{number};S-1;{row}" for number, row in enumerate(rows)), ""]).encode(encoding)


def threes(text: str) -> list[tuple[str, ...]]:
    return list(combinations(text.splitlines(), 3))


@pytest.mark.parametrize("text", WESTERN)
def test_what_is_read_right_today_never_changes(text: str) -> None:
    for rows in [*threes(text), text.splitlines(), text.splitlines() * 50]:
        assert not code_page(content(rows, "cp1252")).is_central, rows


@pytest.mark.parametrize("text", CENTRAL)
def test_a_file_of_a_central_european_language_is_known_by_its_words(text: str) -> None:
    assert code_page(content(text.splitlines(), "cp1250")).is_central
    assert code_page(content(text.splitlines() * 50, "cp1250")).is_central
    few = [content(rows, "cp1250") for rows in threes(text)]
    few = [rows for rows in few if rows.decode("cp1252", "replace") != rows.decode("cp1250")]
    known = [rows for rows in few if code_page(rows).is_central]
    assert len(known) * 10 >= len(few) * 6, f"{len(known)} of {len(few)} files of three rows"


@given(st.lists(st.sampled_from([row for text in WESTERN for row in text.splitlines()]), min_size=1, max_size=12))
def test_names_of_several_western_languages_beside_each_other_never_make_another(rows: list[str]) -> None:
    assert not code_page(content(rows, "cp1252")).is_central


def test_a_file_is_read_so_and_says_by_which_words_and_how_it_is_put_right(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content(POLISH.splitlines(), "cp1250"))
    table = open_table(path)
    assert table.encoding == "cp1250"
    assert "Windows-1250, by words such as 'Dąbrowska'" in table.how
    assert "`encoding: cp1252` in the mapping" in table.how
    assert [row.cells[2] for row in table.rows()][1] == "zły rozmiar"
    assert guess(table).encoding == "cp1250"
    assert [row.cells[2] for row in open_table(path, Reading(encoding="cp1252")).rows()][1] == "z³y rozmiar"


def test_bytes_that_windows_1252_does_not_have_are_read_where_words_say_how(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content(["příliš malé;Věra Šťastná"], "cp1250"))
    assert [row.cells[3] for row in open_table(path).rows()][1] == "Věra Šťastná"
    path.write_bytes(b"a,b\n1,\x8d\x9d\n")
    with pytest.raises(InputFileError, match="neither UTF-8 nor Windows-1252"):
        open_table(path)


def test_a_word_that_looks_wrong_is_named_where_it_is_not_enough(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content(SPANISH.splitlines(), "cp1252") + "R-9;S-1;ok;Ewa Małysz\r\n".encode("cp1250"))
    table = open_table(path)
    assert table.encoding == "cp1252"
    assert "`encoding: cp1250` in the mapping if 'Małysz' is right" in table.how
