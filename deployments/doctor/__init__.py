"""`rever-returns doctor`: looks at everything a desk needs, one line each, and says what to do. Writes nothing."""
