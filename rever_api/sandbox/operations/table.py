"""The contract's operations: id, method, path, and what carries them out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rever_api.sandbox.operations import creation, effects, logistics, reads, settings
from rever_api.sandbox.operations.call import Call
from rever_api.sandbox.state import Sandbox

_PROCESS = "/v1/processes/{process_id}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. An effect moves money, goods or an inspection. `also` is another path at which it may be."""

    id: str
    method: str
    path: str
    run: Callable[[Sandbox, Call], dict[str, Any]]
    effect: bool = False
    also: str = ""

    @property
    def lists(self) -> bool:
        """Whether it answers pages."""
        return self.run is reads.search_return_processes

    @property
    def shows_process(self) -> bool:
        """Whether it reads a process, and so can be stale."""
        return self.run in {reads.search_return_processes, reads.get_return_process}


OPERATIONS = (
    Operation("searchReturnProcesses", "GET", "/v1/processes", reads.search_return_processes),
    Operation("getReturnProcess", "GET", _PROCESS, reads.get_return_process),
    Operation("addReview", "POST", f"{_PROCESS}/reviews", effects.add_review, effect=True),
    Operation("issueRefund", "POST", f"{_PROCESS}/refunds", effects.issue_refund, effect=True),
    Operation("issueExchange", "POST", f"{_PROCESS}/exchanges", effects.issue_exchange, effect=True),
    Operation("cancelReturnProcess", "POST", f"{_PROCESS}/cancel", effects.cancel_return_process, effect=True),
    Operation("getShippingStatus", "GET", f"{_PROCESS}/shipping_status", reads.get_shipping_status),
    Operation("getPresignedLabelUrl", "GET", f"{_PROCESS}/label", reads.get_presigned_label_url),
    Operation("listLogisticOrders", "GET", f"{_PROCESS}/logistics/", reads.list_logistic_orders),
    Operation(
        "createReverseDelivery", "POST", f"{_PROCESS}/logistics/", logistics.create_reverse_delivery, effect=True
    ),
    Operation("createOrderV2", "PUT", f"{_PROCESS}/logistics/", logistics.create_order_v2, effect=True),
    Operation("createReturn", "POST", "/v1/processes", creation.create_return, effect=True, also="/v1/returns"),
    Operation("importReturns", "POST", "/v1/returns/import", creation.import_returns, effect=True),
    Operation("getEcommerceSettings", "GET", "/v1/settings", settings.get_ecommerce_settings),
    Operation("listEcommerces", "GET", "/v1/settings/ecommerces", settings.list_ecommerces),
    Operation("listWarehouses", "GET", "/v1/settings/warehouses", settings.list_warehouses),
)
