"""Files as they come from warehouses, 3PLs, shops and programs, from memory of real ones, with made-up values.

Each is there for a trap: what stands in it is said beside it.
"""

MINTSOFT = """\
Return ID,Order Number,Client,Return Date,Return Type,SKU,Product Name,Qty Expected,Qty Returned,Qty Good,Qty Damaged,\
Action,Comments,Confirmed
4400,#1001,ACME,20/11/2026 11:02,Standard,SKU-1,Shirt,2,2,1,1,Return to stock,,True
4401,#1002,ACME,21/11/2026 11:02,Standard,SKU-2,Hat,1,1,0,1,Quarantine,,True
4402,#1003,ACME,22/11/2026 11:02,Standard,SKU-3,Belt,3,2,1,0,Return to stock,,True
"""
"""What was found is counted in columns side by side; of one unit of the last row nothing is said."""

SHIPMONK = """\
Return #,Order #,Store,Status,Received At,Item SKU,Item Name,Quantity Expected,Quantity Good,Quantity Damaged,\
Quantity Missing,Customer Notes
SM1,#1001,acme,processed,"Nov 20, 2026 3:15 PM",SKU-1,Shirt,1,1,0,0,
SM2,#1002,acme,processed,"Nov 3, 2026 11:05 AM",SKU-2,Hat,2,0,1,1,
"""
"""Only `Quantity Missing` has a name that is sure; 12-hour clocks, months by name."""

AFTERSHIP = """\
RMA ID,Order number,Return status,Return resolution,Item SKU,Item quantity,Item received quantity,Return reason,\
Received at,Customer email
R-1,#1001,Approved,Refund,SKU-1,2,0,Too small,,ana@example.com
R-2,#1002,Received,Refund,SKU-2,1,1,Too small,"Nov 22, 2026 10:12 AM",bo@example.com
"""
"""`Approved` is the shopper's request here, before anything came; two quantities."""

SPANISH = """\
sep=;
Nº devolución;Nº pedido;Código artículo;Código de barras;Uds. recibidas;Uds. correctas;Uds. defectuosas;\
Fecha recepción;Observaciones
R-1;#1001;SKU-1;5060000000001;2,00;1,00;1,00;20/11/2026;
R-2;#1002;SKU-2;5060000000002;1,00;1,00;0,00;21/11/2026;
TOTAL;;;;3,00;2,00;1,00;;
"""
"""Windows-1252 from Excel: a line `sep=;`, decimal commas, a total."""

GERMAN = """\
Retourennummer;Bestellnummer;Sendungsnummer;Artikelnr.;EAN;Menge;Zustand;Eingang am;Uhrzeit;Prüfergebnis;Bemerkung
R-1;#1001;00340434;SKU-1;5060000000001;1;A-Ware;20.11.2026;14:00;i.O.;
R-2;#1002;00340435;SKU-2;5060000000002;1;C-Ware;21.11.2026;14:03;Ausschuss;"Riss;
Loch"
"""
"""Two columns that may say what was found; a comment of two lines with the separator in it."""

FRENCH = """\
N° retour;N° de commande;N° de suivi;Référence article;Code EAN;Quantité;État;Date de réception;Décision;Motif
R-1;#1001;;SKU-1;5060000000001;1;Neuf;20/11/2026;Accepté;Trop petit
R-2;#1002;;SKU-2;5060000000002;1;Abîmé;21/11/2026;Refusé;Trop petit
"""

ITALIAN = """\
Numero reso;Numero ordine;Tracking;Codice articolo;Codice a barre;Quantità;Condizione;Data ricezione;Note
R-1;#1001;;SKU-1;5060000000001;1;Integro;20/11/2026;
R-2;#1002;;SKU-2;5060000000002;1;Danneggiato;21/11/2026;
"""

PORTUGUESE = """\
N.º devolução;Encomenda;Objeto;Referência;EAN;Qtd.;Qtd. conforme;Qtd. não conforme;Data receção;Motivo
R-1;#1001;RL1PT;SKU-1;5060000000001;1;1;0;20-11-2026 09:30;
R-2;#1002;RL2PT;SKU-2;5060000000002;1;0;1;21-11-2026 09:30;
"""

POLISH = """\
Numer zwrotu;Numer zamówienia;Numer przesyłki;Indeks;EAN;Ilość;Stan;Data przyjęcia;Uwagi
R-1;#1001;;SKU-1;5060000000001;1;nowy;2026-11-20;
R-2;#1002;;SKU-2;5060000000002;1;uszkodzony;2026-11-21;
"""

DUTCH = """\
Retournummer;Ordernummer;Webshop ordernummer;Ontvangen;SKU;Omschrijving;Aantal;Kwaliteit;Retourreden;Opmerking
R-1;M1;#1001;20-11-2026;SKU-1;Hemd;1;Goed;Te klein;
R-2;M2;#1002;21-11-2026;SKU-2;Hoed;1;Beschadigd;Te klein;
"""
"""Two order numbers: Monta's own, and the shop's."""

SAP = """\
30.11.2026                    Dynamic List Display                     1
-------------------------------------------------------------
|Sales Doc.|Material  |Return qty|Pstng Date|Usage dec.|Amount |
-------------------------------------------------------------
|#1001     |SKU-1     |        1 |20.11.2026|A         | 24,00-|
|#1002     |SKU-2     |        1-|21.11.2026|R1        | 24,00-|
-------------------------------------------------------------
|Sales Doc.|Material  |Return qty|Pstng Date|Usage dec.|Amount |
-------------------------------------------------------------
|#1003     |SKU-3     |        1 |22.11.2026|A         | 24,00-|
-------------------------------------------------------------
"""
"""A printed list: titles, ruled lines, the header on each page, minus signs behind the number."""

AMAZON_QUOTES = (
    "return-date\torder-id\tsku\tquantity\tdetailed-disposition\tlicense-plate-number\tcustomer-comments\n"
    '2026-11-20T15:31:40+00:00\t#1001\tSKU-1\t1\tSELLABLE\tLPN1\tit says "too small\n'
    '2026-11-21T15:31:40+00:00\t#1002\tSKU-2\t1\tDEFECTIVE\tLPN2\t"Nice" but torn\n'
)
"""Amazon puts no cell in quotation marks: those of a comment are text."""

PUT_TOGETHER = (
    "\ufeff\ufeffRMA,SKU,QC result\n\u200bR-1,SKU-1\u00a0,Approved\n\ufeffRMA,SKU,QC result\nR-2,SKU-2,Approved\n"
)
"""Two files in one, with their byte order marks; marks that nobody sees in the cells."""

CROSSES = """\
Order,SKU,Units,OK,Damaged,Missing,Remark
#1001,SKU-1,2,x,,,
#1002,SKU-2,1,,X,,torn
#1003,SKU-3,1,x,x,,
#1004,SKU-4,0,x,,,
#1005,SKU-5,1,,,,
"""
"""A cross in one of several columns; one row with two, one about no unit, one without."""

GERMAN_QUOTED = """\
"Retouren-Nr.";"Bestell-Nr.";"Sendungs-Nr.";"Artikel-Nr.";"Menge";"Status";"Datum"
"R-1";"#1001";"00340434";"0007";"1";"Genehmigt";"30.11.2026"
"""
"""Everything in quotation marks; `Genehmigt` in a status may be the shopper's request."""
