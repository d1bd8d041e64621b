"""One shopper is one mailbox, however its address is written."""

import unicodedata


def one_mailbox(email: str) -> str:
    """The one spelling of all addresses of a mailbox; empty for none.

    Case and spaces around do not count, nor what follows a `+` before the `@`, nor, at Gmail, dots. Where a provider
    takes these for two mailboxes, two people share a cap: that holds a refund, and pays none.
    """
    plain = unicodedata.normalize("NFKC", email).strip().casefold()
    name, at, domain = plain.rpartition("@")
    domain = domain.rstrip(".")
    base = name.partition("+")[0] or name
    if domain in {"gmail.com", "googlemail.com"}:
        base, domain = base.replace(".", "") or base, "gmail.com"
    return f"{base}{at}{domain}" if at else plain
