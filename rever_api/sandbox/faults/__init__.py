"""Breaking on demand: which call breaks and how, chosen by seed or by name, and carried out on the wire."""

from rever_api.sandbox.faults.kinds import Fault
from rever_api.sandbox.faults.plan import FaultPlan, Faults, NamedFault, parse_faults

__all__ = ["Fault", "FaultPlan", "Faults", "NamedFault", "parse_faults"]
