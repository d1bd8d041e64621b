"""What goes out: the report of a run, its pages and tables."""
