"""How fast the desk is, measured beside what people would use instead: `make bench`, and docs/performance.md."""
