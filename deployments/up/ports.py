"""The ports that are asked for: free, or said to be taken, and by which option another is taken."""

from dataclasses import dataclass

from deployments.console.errors import UsageError
from deployments.free_port import free_port, is_free
from deployments.prefect_server import LOOPBACK


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen on 127.0.0.1."""

    prefect: int
    receiver: int
    sandbox: int


def free_ports(*, prefect: int, receiver: int, sandbox: int | None) -> Ports:
    """These ports, with a free one for each 0; `sandbox` None asks for none. Raises `UsageError`, naming all taken."""
    wanted = {"prefect": prefect, "receiver": receiver} | ({} if sandbox is None else {"sandbox": sandbox})
    if taken := [name for name, port in wanted.items() if port and not is_free(port)]:
        sentences = [
            f"port {wanted[name]} of {LOOPBACK} is taken: end what listens there, or name another with --{name}-port."
            for name in taken
        ]
        raise UsageError("\n".join(sentences))
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        chosen[name] = port or free_port(besides={*wanted.values(), *chosen.values()})
    return Ports(chosen["prefect"], chosen["receiver"], chosen.get("sandbox", 0))
