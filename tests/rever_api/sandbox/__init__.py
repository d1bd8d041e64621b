"""Tests of the sandbox: it keeps the contract, breaks as told, and its auditor sees every broken promise."""
