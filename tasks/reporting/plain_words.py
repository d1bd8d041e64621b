"""REVER's words as people read them."""

import re

from rever_api.models import (
    CompensationMethod,
    PickupRange,
    ProcessStatus,
    RefundTiming,
    ReturnMethod,
    ReturnStatus,
    ReviewStatus,
    ShippingStatus,
)

_ENUMS = (
    CompensationMethod,
    PickupRange,
    ProcessStatus,
    RefundTiming,
    ReturnMethod,
    ReturnStatus,
    ReviewStatus,
    ShippingStatus,
)
_PLAIN = {str(word): word.lower().replace("_", " ") for words in _ENUMS for word in words if "_" in word}
_WORD = re.compile(rf"(?<!\w)(?:{'|'.join(sorted(_PLAIN, key=len, reverse=True))})(?!\w)")


def plain_words(text: str) -> str:
    """A sentence without REVER's spelling of its words: `gift card` for `GIFT_CARD`.

    A word that is not known here stays as it is: a person has to find it as REVER has it. So do names of settings.
    """
    return _WORD.sub(lambda found: _PLAIN[found[0]], text)
