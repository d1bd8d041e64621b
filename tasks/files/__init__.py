"""Files that come in: tables as exact text, the mapping of a store, inspections matched to returns, what is refused."""
