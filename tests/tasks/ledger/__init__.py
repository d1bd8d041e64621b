"""The ledger, each promise on both databases."""
