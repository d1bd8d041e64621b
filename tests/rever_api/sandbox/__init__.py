"""Tests of the sandbox: it keeps the contract, breaks on demand, and its auditor sees every broken promise."""
