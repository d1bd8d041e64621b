"""Tests that kill real processes, or let two work at the same time."""
