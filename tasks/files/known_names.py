"""What columns and words of files usually mean, and how sure that is. Only the guess asks this.

A percentage of `SURE` and more is written into the guessed mapping; below, a person has to decide. No word that says
only how a thing looks is sure, for whether that is good enough is the shop's to say; nor is one that needs a reason.
"""

import re
import unicodedata
from types import MappingProxyType

SURE = 80
"""Percent from which a guess is written down as meant."""

_ACRONYM = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])")
_PREFIX = re.compile(r"^(channel|lineitem|rever) (?=\w)")

Names = tuple[tuple[str, str, int], ...]
"""Field, what the column's name is when it is made plain, and how sure that is."""

_QUANTITIES: Names = (
    ("quantity", r"((item|product|total) )?(quantity|qty)|units|cantidad|menge|anzahl|stuckzahl|quantite|quantita", 85),
    ("quantity", r"aantal|ilosc|qtd|quantidade|uds|unidades", 85),
    ("quantity", r"return (quantity|qty)|product quantity|(quantity|qty) to return", 90),
)
"""How many units, whatever was meant to come."""

_COUNTED = r"((quantity|qty|units|menge|cantidad|uds|qtd|pcs) )?({0})( (quantity|qty|units|pcs))?"
"""A column that counts the units that were found so."""

_NUMBER = r"(n|no|n o|nr|num|numero|numer|nummer|id|cod|codigo|code|codice)( (de|del|di|da|do))?( la)?"
"""How a number of something is called: N.º de, Numero di, Nr."""

NAMES: Names = (
    ("process_id", r"(return )?process id|retp", 95),
    ("rma", r"(return )?rma( (number|no|id|code|nr))?|return authori[sz]ation( number)?", 95),
    ("rma", r"return (id|number|no|nr|reference|order (id|number)|name)|returns? ref|retour(en)? ?(nummer|nr)", 85),
    ("rma", _NUMBER + r" (rma|devolucion|devolucao|retorno|retour|reso|zwrotu)", 85),
    ("rma", r"return code|reference id|return", 70),
    (
        "order",
        r"((sales|store|shop|web|customer|original|external|merchant|goods owner) )?order"
        r"( (id|number|no|nr|name|ref|reference))?",
        90,
    ),
    ("order", r"(bestell|auftrags|bestel) ?(ung|nummer|nr)|auftrag|pedido|encomenda|commande|zamowienie", 90),
    ("order", _NUMBER + r" (pedido|encomenda|commande|ordine|zam[oó]wienia|auftrag|bestellung)", 90),
    ("order", r"web ?shop (order|bestel) ?(nummer|number)", 95),
    ("order", r"(forward|parent) order id|ordernummer", 85),
    ("order", r"shipment reference|reference( num(ber)?)?|external id|merchant reference|po( number)?|sales doc", 60),
    ("order", r"name", 40),
    (
        "tracking",
        r"(return |parcel |shipment )?tracking( (numbers?|no|nr|id|code))?|awb|(sendungs|tracking|paket) ?(nummer|nr)",
        90,
    ),
    ("tracking", _NUMBER + r" (seguimiento|suivi|rastreio|przesyłki|envio)|track trace( code)?|objeto", 85),
    ("line", r"(return )?line item id|return line id", 60),
    ("line", r"(order )?(item|line) id|order line( id)?", 50),
    (
        "sku",
        r"(item |product |seller |merchant |variant )?sku( code)?|referencia|artikel ?(nummer|nr)|article number",
        95,
    ),
    ("sku", _NUMBER + r" (articulo|article|articolo|artigo|produto|produktu)|(product|article) reference", 85),
    ("sku", r"(ref|reference|referencia)( del?)?( l)? (articulo|article|artigo)|artikel(code)?|indeks", 85),
    ("sku", r"(item|product|variant) (code|number|no)|part number|material( number)?", 70),
    ("ean", r"(item |product |code )?(ean( ?13)?|gtin|upc|bar ?code)( code)?", 95),
    ("ean", r"codigo( de)? barras|code barres?|codice a barre|kod kreskowy|streepjescode", 95),
    (
        "quantity",
        r"(item |product )?(received|returned) (quantity|qty|units|number of items)"
        r"|(item )?(quantity|qty|units|menge|aantal) (received|returned|erhalten|ontvangen)"
        r"|(cantidad|uds|unidades|quantite|quantita|qtd|quantidade) (recibidas?|recues?|ricevuta|recebidas?)",
        95,
    ),
    *_QUANTITIES,
    ("quantity", r"received|returned|count", 60),
    ("unit", r"license plate( number)?|lpn|serial( (number|no))?|imei|unit id", 90),
    (
        "outcome",
        r"(inspection|qc|quality( control)?|review) (result|status|outcome|decision)|outcome|decision|verdict",
        95,
    ),
    (
        "outcome",
        r"(pruf)?ergebnis|befund|dictamen|esito( controllo)?|decyzja|wynik( kontroli)?|decisao|beoordeling",
        90,
    ),
    ("outcome", r"(detailed |final )?disposition( outcome)?|quality approved", 90),
    (
        "outcome",
        r"(return |item |product |assessed )?(condition|grade|grading)|zustand|condicion|condizion[ei]|stan",
        88,
    ),
    ("outcome", r"kwaliteit|condicao|quality( label)?|inventory status", 85),
    ("outcome", r"result|resultado|resultat|resultaat", 80),
    ("outcome", r"(return |item )?(status|state)|estado|etat|action taken", 65),
    ("approved", r"(quantity |qty )?(approved|accepted)( (quantity|qty|units))?|passed", 90),
    ("approved", _COUNTED.format(r"good|ok|sellable|resellable|restocked|conforme|correctas|buenas|a"), 60),
    ("declined", r"(quantity |qty )?(declined|rejected)( (quantity|qty|units))?|failed", 90),
    (
        "declined",
        _COUNTED.format(
            r"bad|damaged|unsellable|defective|faulty|scrap(ped)?|written off|write off|quarantined?|nao conforme"
            r"|defectuosas|danadas|beschadigt|b|c"
        ),
        60,
    ),
    ("missing", r"(quantity |qty |units )?missing( (quantity|qty|units))?", 90),
    ("missing", _COUNTED.format(r"faltantes|fehlend|lost|short"), 60),
    ("reason", r"(reject(ion)?|decline|inspection|qc) (reason|note|notes|comment|comments)", 85),
    ("reason", r"reason|(return )?comments?|notes?|message|(return|problem) (reason|description)|motivo|motif", 40),
    ("reason", r"bemerkung|retour(en)?(grund|reden)|opmerking|uwagi|observaciones|hold reason", 40),
    ("inspected_at", r"(inspected|received|processed|graded|returned) (at|on|date)|(inspection|qc) (date|time)", 90),
    ("inspected_at", r"(return|completed|completion|processing|receipt|arrival) date|arrived (at|on)", 85),
    ("inspected_at", r"date (inspected|received|processed|graded|returned|completed)|ontvangen( op)?", 85),
    ("inspected_at", r"(eingang|gepruft|vereinnahmt|erhalten) am|(eingangs|pruf)datum|pstng date", 85),
    ("inspected_at", r"(fecha|data|date)( (de|di|da))?( la)? (recepcion|inspeccion|reception|ricezione|przyjecia)", 85),
    ("inspected_at", r"data( (de|da))? (rece(p)?cao|inspecao)|delivered on", 85),
    ("inspected_at", r"dat(e|um|a)|fecha|date time|(submitted|created|insert) (date|on|at)", 45),
    ("inspected_time", r"(received|inspection|return|receipt) time|uhrzeit|hora|heure", 70),
)
"""The columns of warehouses' files."""

RETURN_NAMES: Names = (
    *(it for it in NAMES if it[0] in {"order", "sku"}),
    *_QUANTITIES,
    ("quantity", r"returned (quantity|qty|units)|(quantity|qty) returned", 95),
    *(("key", pattern, sure) for name, pattern, sure in NAMES if name == "rma"),
    ("sku", r"products?|items?|articles?|goods|product info", 60),
    ("email", r"((customer|shopper|contact|billing|buyer) )?(e ?mail|mail)( address)?|correo( electronico)?", 95),
    ("reason", r"(return |product )?reason( code)?|return comments?|motivo( de( la)? devolucion)?|motif", 90),
    ("reason", r"(ruckgabe|retouren)?grund|why", 85),
    ("reason", r"problem description|comments?|notes?", 40),
    ("method", r"(compensation|refund|resolution)( (method|type|as|to|by|via))?|reembolso|erstattung", 88),
    ("method", r"(requested )?(action|resolution)|wish|payment method", 60),
)
"""The columns of files of returns that are asked for."""

_WORDS = (
    ("APPROVED", 95, "approved, accepted, passed, pass, qc passed, aprobado, aceptado, genehmigt, akzeptiert"),
    ("APPROVED", 95, "accepte, accettato, approvato, aprovado, goedgekeurd"),
    ("APPROVED", 60, "good, new, sellable, ok, resellable, mint, confirmed, complete, completed, restock, perfect"),
    ("APPROVED", 60, "like new, as new, very good, a, grade a, a grade, neu, gut, nuevo, bueno, vendible"),
    ("APPROVED", 60, "unit returned to inventory, restocked, return to stock, available, intact, i o, a ware, a stock"),
    ("APPROVED", 60, "neuf, integro, nuovo, nowy, przyjety, novo, goed, nieuw, conforme"),
    ("DECLINED", 70, "declined, rejected, failed, fail, refused, not accepted, qc failed, rechazado, abgelehnt"),
    ("DECLINED", 70, "refuse, rifiutato, recusado, rejeitado, odrzucony, afgekeurd"),
    ("DECLINED", 60, "damaged, defective, worn, used, unsellable, expired, dispose, scrap, quarantine, faulty, dirty"),
    ("DECLINED", 60, "customer damaged, carrier damaged, distributor damaged, warehouse damaged, stained, broken"),
    ("DECLINED", 60, "c, grade c, c grade, defekt, danado, usado, gebraucht, beschadigt, ausschuss, n i o, c ware"),
    ("DECLINED", 60, "scrapped, destroy, destroyed, write off, written off, damaged write off, donate, trash, poor"),
    ("DECLINED", 60, "abime, endommage, danneggiato, uszkodzony, danificado, beschadigd"),
    ("MISSING", 95, "missing, lost, not received, not in parcel, empty box, faltante, fehlt, fehlend"),
    ("NOT_YET", 90, "received, arrived, pending, processing, vendor received, awaiting arrival, in transit"),
    ("NOT_YET", 90, "awaiting inspection, delivered, recibido, erhalten, eingegangen, rto, rts"),
    ("NOT_YET", 90, "in progress, partially received, announced, requested, label created, recu, ricevuto, ontvangen"),
)
"""What words usually mean, and how sure that is."""


def _by_word(known: tuple[tuple[str, int, str], ...]) -> MappingProxyType[str, tuple[str, int]]:
    return MappingProxyType({word: (means, sure) for means, sure, words in known for word in words.split(", ")})


MEANINGS = _by_word(_WORDS)
"""Word -> what it usually means, and how sure that is, in percent."""

_REASONS = (
    ("WRONG_SIZE_TOO_SMALL", 95, "too small, size too small, wrong size too small, demasiado pequeno, zu klein"),
    ("WRONG_SIZE_TOO_BIG", 95, "too big, too large, size too big, size too large, demasiado grande, zu gross"),
    ("WRONG_ITEM", 95, "wrong item, wrong item delivered, wrong item received, wrong product, falscher artikel"),
    ("WRONG_COLOR", 95, "wrong color, wrong colour, color, colour"),
    ("DEFECTIVE", 85, "defective, faulty, damaged, broken, damaged or defective, defectuoso, defekt"),
    ("CHANGED_MY_MIND", 90, "changed my mind, changed mind, no longer needed, not wanted, unwanted, gefallt nicht"),
    ("PRODUCT_DID_NOT_MATCH_DESCRIPTION", 90, "not as described, not as shown, does not match description"),
    ("NOT_AS_EXPECTED", 90, "not as expected"),
    ("NOT_RECEIVED", 60, "not received, never arrived, lost, missing, no recibido, nicht erhalten"),
    ("OTHER", 90, "other, others, otro, sonstiges"),
)
_METHODS = (
    ("ORIGINAL_PAYMENT_METHOD", 95, "original payment method, original payment, original method, opm"),
    (
        "ORIGINAL_PAYMENT_METHOD",
        60,
        "card, credit card, refund, refund to card, money, money back, paypal, reembolso, karte",
    ),
    ("BANK_TRANSFER", 95, "bank transfer, transfer, transferencia, transferencia bancaria, uberweisung"),
    ("GIFT_CARD", 95, "gift card, giftcard, tarjeta regalo, geschenkkarte"),
    ("GIFT_CARD", 60, "voucher, store credit, credit, gutschein, vale"),
    ("PROMO_CODE", 95, "promo code, promocode, coupon, discount code"),
)


RETURN_MEANINGS = MappingProxyType({"reason": _by_word(_REASONS), "method": _by_word(_METHODS)})
"""Column -> word -> REVER's word for it, and how sure that is, in percent. What is paid unseen is never sure."""


def plain(name: str) -> str:
    """A name without accents, capitals and signs, its words parted: `returnRMA-Number` is `return rma number`."""
    letters = unicodedata.normalize("NFKD", _ACRONYM.sub(" ", name))
    text = "".join(each if each.isalnum() else " " for each in letters if not unicodedata.combining(each))
    return _PREFIX.sub("", " ".join(text.casefold().split()))


def named_by(name: str, names: Names = NAMES) -> dict[str, int]:
    """Field -> how sure it is, by its name alone, that a column of this name holds it."""
    words, found = plain(name), dict[str, int]()
    for field, pattern, sure in names:
        if words and re.fullmatch(pattern, words):
            found[field] = max(sure, found.get(field, 0))
    return found
