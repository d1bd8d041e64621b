"""Tests of the flows against a sandbox over real HTTP."""
