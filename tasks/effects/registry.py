"""All effects, by kind: how a claim is carried out that any flow or an answer has made."""

from collections.abc import Mapping
from types import MappingProxyType

from tasks.effects.exchange import EXCHANGE_EFFECT
from tasks.effects.kind import Effect
from tasks.effects.label import LABEL_EFFECT
from tasks.effects.refund import REFUND_EFFECT
from tasks.policy.record import IntentKind

EFFECTS: Mapping[IntentKind, Effect] = MappingProxyType(
    {effect.kind.name: effect for effect in (REFUND_EFFECT, EXCHANGE_EFFECT, LABEL_EFFECT)}
)
"""Kind -> effect."""
