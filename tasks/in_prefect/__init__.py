"""Where the steps meet Prefect: tasks, global limits, events, the credentials block."""
