"""All effects, by kind: how a claim is carried out, whoever has made it."""

from collections.abc import Mapping
from types import MappingProxyType

from tasks.effects.cancel import CANCEL_EFFECT
from tasks.effects.create_return import CREATE_RETURN_EFFECT
from tasks.effects.exchange import EXCHANGE_EFFECT
from tasks.effects.kind import Effect
from tasks.effects.label import LABEL_EFFECT
from tasks.effects.refund import REFUND_EFFECT
from tasks.effects.register_label import REGISTER_LABEL_EFFECT
from tasks.effects.review import REVIEW_EFFECT
from tasks.policy.record import IntentKind

EFFECTS: Mapping[IntentKind, Effect] = MappingProxyType(
    {
        effect.kind.name: effect
        for effect in (
            REFUND_EFFECT,
            EXCHANGE_EFFECT,
            LABEL_EFFECT,
            REVIEW_EFFECT,
            CANCEL_EFFECT,
            REGISTER_LABEL_EFFECT,
            CREATE_RETURN_EFFECT,
        )
    }
)
"""Kind -> effect."""
