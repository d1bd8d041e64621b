"""The same job as others would write it: search, read, decide, refund. Each says what it does not promise."""
