"""The rules: from a return process, its store's settings and the clock to one decision. Pure."""
