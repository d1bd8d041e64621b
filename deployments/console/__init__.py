"""What the programs of this package print and log: without secrets, and without anything on which a terminal acts."""
