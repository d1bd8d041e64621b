"""Which flows there are. A flow's name is its deployment's name, and its file's but for the dashes."""

FLOWS = {
    "process-pending-returns": "flows.process_pending_returns",
    "process-return": "flows.process_return",
    "generate-labels": "flows.generate_labels",
    "cancel-return": "flows.cancel_return",
    "reissue-label": "flows.reissue_label",
    "register-label": "flows.register_label",
    "import-inspections": "flows.import_inspections",
    "import-returns": "flows.import_returns",
    "track-parcels": "flows.track_parcels",
    "chase-stale-returns": "flows.chase_stale_returns",
    "reconcile": "flows.reconcile",
    "archive-ledger": "flows.archive_ledger",
    "explain-return": "flows.explain_return",
    "answer-hold": "flows.answer_hold",
    "answer-holds": "flows.answer_holds",
    "backtest-policy": "flows.backtest_policy",
    "daily-report": "flows.daily_report",
    "reconcile-payouts": "flows.reconcile_payouts",
}
"""Flow name -> module. Each module has `Parameters`, the plain coroutine `work`, and the Prefect flow."""
