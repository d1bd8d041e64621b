"""Compare the endpoint table and the contract's fields with REVER's official OpenAPI document. Pure, but for one file.

The document is the user's: REVER gives it to its customers, and it is not public in full.
"""

from rever_api.comparing.compare import Compared, Comparison, FieldDifference, Verdict, compare
from rever_api.comparing.document import Document, DocumentError, parsed, read_document
from rever_api.comparing.operations import Operation, Parameter

__all__ = [
    "Compared",
    "Comparison",
    "Document",
    "DocumentError",
    "FieldDifference",
    "Operation",
    "Parameter",
    "Verdict",
    "compare",
    "parsed",
    "read_document",
]
