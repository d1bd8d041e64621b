"""The country of an address, as two capital letters; one function for all that is chosen by it."""

import unicodedata
from types import MappingProxyType

from rever_api.models import Address


def country_of(address: Address | None) -> str:
    """The country of an address by its `country_code`, else its `country`; empty where none can be told.

    Either may be a code of two or three letters or a name in English or Spanish, in any case, accents or none.
    """
    return (country_code(address.country_code) or country_code(address.country)) if address else ""


def country_code(text: str) -> str:
    """The two capital letters (ISO 3166-1) of a code or name; empty where it is neither."""
    return _CODES.get(_folded(text), "")


def _folded(text: str) -> str:
    """Only the letters, in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("&", " and "))
    return "".join(letter for letter in plain if letter.isalpha() and not unicodedata.combining(letter))


_COUNTRIES = """\
AD AND Andorra
AE ARE United Arab Emirates|Emiratos Árabes Unidos
AF AFG Afghanistan|Afganistán
AG ATG Antigua & Barbuda|Antigua y Barbuda
AI AIA Anguilla|Anguila
AL ALB Albania
AM ARM Armenia
AO AGO Angola
AQ ATA Antarctica|Antártida
AR ARG Argentina
AS ASM American Samoa|Samoa Americana
AT AUT Austria|Österreich
AU AUS Australia
AW ABW Aruba
AX ALA Åland Islands|Islas Aland
AZ AZE Azerbaijan|Azerbaiyán
BA BIH Bosnia & Herzegovina|Bosnia y Herzegovina
BB BRB Barbados
BD BGD Bangladesh|Bangladés
BE BEL Belgium|Bélgica|België|Belgique
BF BFA Burkina Faso
BG BGR Bulgaria
BH BHR Bahrain|Baréin
BI BDI Burundi
BJ BEN Benin
BL BLM St. Barthélemy|San Bartolomé
BM BMU Bermuda|Bermudas
BN BRN Brunei
BO BOL Bolivia
BQ BES Caribbean Netherlands|Caribe neerlandés
BR BRA Brazil|Brasil
BS BHS Bahamas
BT BTN Bhutan|Bután
BV BVT Bouvet Island|Isla Bouvet
BW BWA Botswana|Botsuana
BY BLR Belarus|Bielorrusia
BZ BLZ Belize|Belice
CA CAN Canada
CC CCK Cocos (Keeling) Islands|Islas Cocos
CD COD Congo - Kinshasa|República Democrática del Congo|Democratic Republic of the Congo|DR Congo
CF CAF Central African Republic|República Centroafricana
CG COG Congo - Brazzaville|Republic of the Congo|República del Congo
CH CHE Switzerland|Suiza|Schweiz|Suisse
CI CIV Côte d'Ivoire|Ivory Coast|Costa de Marfil
CK COK Cook Islands|Islas Cook
CL CHL Chile
CM CMR Cameroon|Camerún
CN CHN China
CO COL Colombia
CR CRI Costa Rica
CU CUB Cuba
CV CPV Cape Verde|Cabo Verde
CW CUW Curaçao|Curazao
CX CXR Christmas Island|Isla de Navidad
CY CYP Cyprus|Chipre
CZ CZE Czechia|Chequia|Czech Republic|República Checa
DE DEU Germany|Alemania|Deutschland
DJ DJI Djibouti|Yibuti
DK DNK Denmark|Dinamarca|Danmark
DM DMA Dominica
DO DOM Dominican Republic|República Dominicana
DZ DZA Algeria|Argelia
EC ECU Ecuador
EE EST Estonia
EG EGY Egypt|Egipto
EH ESH Western Sahara|Sáhara Occidental
ER ERI Eritrea
ES ESP Spain|España
ET ETH Ethiopia|Etiopía
FI FIN Finland|Finlandia|Suomi
FJ FJI Fiji|Fiyi
FK FLK Falkland Islands|Islas Malvinas
FM FSM Micronesia
FO FRO Faroe Islands|Islas Feroe
FR FRA France|Francia
GA GAB Gabon
GB GBR United Kingdom|Reino Unido|UK|Great Britain|England|Scotland|Wales|Northern Ireland|Gran Bretaña|Inglaterra
GD GRD Grenada|Granada
GE GEO Georgia
GF GUF French Guiana|Guayana Francesa
GG GGY Guernsey|Guernesey
GH GHA Ghana
GI GIB Gibraltar
GL GRL Greenland|Groenlandia
GM GMB Gambia
GN GIN Guinea
GP GLP Guadeloupe|Guadalupe
GQ GNQ Equatorial Guinea|Guinea Ecuatorial
GR GRC Greece|Grecia|EL|Hellas
GS SGS South Georgia & South Sandwich Islands|Islas Georgia del Sur y Sandwich del Sur
GT GTM Guatemala
GU GUM Guam
GW GNB Guinea-Bissau|Guinea-Bisáu
GY GUY Guyana
HK HKG Hong Kong SAR China|RAE de Hong Kong (China)|Hong Kong
HM HMD Heard Island & McDonald Islands|Islas Heard y McDonald
HN HND Honduras
HR HRV Croatia|Croacia
HT HTI Haiti
HU HUN Hungary|Hungría
ID IDN Indonesia
IE IRL Ireland|Irlanda
IL ISR Israel
IM IMN Isle of Man|Isla de Man
IN IND India
IO IOT British Indian Ocean Territory|Territorio Británico del Océano Índico
IQ IRQ Iraq|Irak
IR IRN Iran
IS ISL Iceland|Islandia
IT ITA Italy|Italia
JE JEY Jersey
JM JAM Jamaica
JO JOR Jordan|Jordania
JP JPN Japan|Japón
KE KEN Kenya|Kenia
KG KGZ Kyrgyzstan|Kirguistán
KH KHM Cambodia|Camboya
KI KIR Kiribati
KM COM Comoros|Comoras
KN KNA St. Kitts & Nevis|San Cristóbal y Nieves
KP PRK North Korea|Corea del Norte
KR KOR South Korea|Corea del Sur|Republic of Korea|República de Corea|Korea
KW KWT Kuwait
KY CYM Cayman Islands|Islas Caimán
KZ KAZ Kazakhstan|Kazajistán
LA LAO Laos|Lao People's Democratic Republic
LB LBN Lebanon|Líbano
LC LCA St. Lucia|Santa Lucía
LI LIE Liechtenstein
LK LKA Sri Lanka
LR LBR Liberia
LS LSO Lesotho|Lesoto
LT LTU Lithuania|Lituania
LU LUX Luxembourg|Luxemburgo
LV LVA Latvia|Letonia
LY LBY Libya|Libia
MA MAR Morocco|Marruecos
MC MCO Monaco
MD MDA Moldova|Moldavia|Republic of Moldova
ME MNE Montenegro
MF MAF St. Martin|San Martín
MG MDG Madagascar
MH MHL Marshall Islands|Islas Marshall
MK MKD North Macedonia|Macedonia del Norte|Macedonia
ML MLI Mali
MM MMR Myanmar (Burma)|Myanmar (Birmania)|Burma|Birmania
MN MNG Mongolia
MO MAC Macao SAR China|RAE de Macao (China)|Macao|Macau
MP MNP Northern Mariana Islands|Islas Marianas del Norte
MQ MTQ Martinique|Martinica
MR MRT Mauritania
MS MSR Montserrat
MT MLT Malta
MU MUS Mauritius|Mauricio
MV MDV Maldives|Maldivas
MW MWI Malawi|Malaui
MX MEX Mexico
MY MYS Malaysia|Malasia
MZ MOZ Mozambique
NA NAM Namibia
NC NCL New Caledonia|Nueva Caledonia
NE NER Niger
NF NFK Norfolk Island|Isla Norfolk
NG NGA Nigeria
NI NIC Nicaragua
NL NLD Netherlands|Países Bajos|Holland|Holanda|The Netherlands|Nederland
NO NOR Norway|Noruega|Norge
NP NPL Nepal
NR NRU Nauru
NU NIU Niue
NZ NZL New Zealand|Nueva Zelanda
OM OMN Oman
PA PAN Panama
PE PER Peru
PF PYF French Polynesia|Polinesia Francesa
PG PNG Papua New Guinea|Papúa Nueva Guinea
PH PHL Philippines|Filipinas
PK PAK Pakistan
PL POL Poland|Polonia|Polska
PM SPM St. Pierre & Miquelon|San Pedro y Miquelón
PN PCN Pitcairn Islands|Islas Pitcairn
PR PRI Puerto Rico
PS PSE Palestinian Territories|Territorios Palestinos|Palestine|Palestina
PT PRT Portugal
PW PLW Palau|Palaos
PY PRY Paraguay
QA QAT Qatar|Catar
RE REU Réunion
RO ROU Romania|Rumanía
RS SRB Serbia
RU RUS Russia|Rusia|Russian Federation
RW RWA Rwanda|Ruanda
SA SAU Saudi Arabia|Arabia Saudí
SB SLB Solomon Islands|Islas Salomón
SC SYC Seychelles
SD SDN Sudan
SE SWE Sweden|Suecia|Sverige
SG SGP Singapore|Singapur
SH SHN St. Helena, Ascension & Tristan da Cunha|Santa Elena
SI SVN Slovenia|Eslovenia
SJ SJM Svalbard & Jan Mayen|Svalbard y Jan Mayen
SK SVK Slovakia|Eslovaquia|Slovak Republic
SL SLE Sierra Leone|Sierra Leona
SM SMR San Marino
SN SEN Senegal
SO SOM Somalia
SR SUR Suriname|Surinam
SS SSD South Sudan|Sudán del Sur
ST STP São Tomé & Príncipe|Santo Tomé y Príncipe
SV SLV El Salvador
SX SXM Sint Maarten
SY SYR Syria|Siria|Syrian Arab Republic
SZ SWZ Eswatini|Esuatini|Swaziland
TC TCA Turks & Caicos Islands|Islas Turcas y Caicos
TD TCD Chad
TF ATF French Southern and Antarctic Lands|Territorios Australes Franceses
TG TGO Togo
TH THA Thailand|Tailandia
TJ TJK Tajikistan|Tayikistán
TK TKL Tokelau
TL TLS Timor-Leste
TM TKM Turkmenistan
TN TUN Tunisia|Túnez
TO TON Tonga
TR TUR Türkiye|Turquía|Turkey
TT TTO Trinidad & Tobago|Trinidad y Tobago
TV TUV Tuvalu
TW TWN Taiwan
TZ TZA Tanzania|United Republic of Tanzania
UA UKR Ukraine|Ucrania
UG UGA Uganda
UM UMI U.S. Outlying Islands|Islas menores alejadas de EE. UU.
US USA United States|Estados Unidos|United States of America|Estados Unidos de América|EE. UU.
UY URY Uruguay
UZ UZB Uzbekistan
VA VAT Vatican City|Ciudad del Vaticano|Vatican|Vaticano|Holy See
VC VCT St. Vincent & Grenadines|San Vicente y las Granadinas
VE VEN Venezuela
VG VGB British Virgin Islands|Islas Vírgenes Británicas
VI VIR U.S. Virgin Islands|Islas Vírgenes de EE. UU.
VN VNM Vietnam
VU VUT Vanuatu
WF WLF Wallis & Futuna|Wallis y Futuna
WS WSM Samoa
XK XKX Kosovo
YE YEM Yemen
YT MYT Mayotte
ZA ZAF South Africa|Sudáfrica
ZM ZMB Zambia
ZW ZWE Zimbabwe|Zimbabue
"""
"""Codes of ISO 3166-1 (XK is Kosovo's by use) and names in English and Spanish (Unicode CLDR), with some by-names.
Names that two countries share are left out."""

_CODES = MappingProxyType(
    {
        _folded(text): line[:2]
        for line in _COUNTRIES.splitlines()
        for text in (line[:2], line[3:6], *line[7:].split("|"))
        if text
    }
)

COUNTRIES = frozenset(_CODES.values())
"""All codes that `country_of` can return."""
