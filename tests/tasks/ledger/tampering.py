"""Change a ledger behind its back, as a person with the file or the password could."""

from sqlalchemy import Connection

from tests.tasks.ledger.desk import LedgerDesk


def tamper(desk: LedgerDesk, *statements: str) -> None:
    """Run these statements with triggers and foreign keys silent."""

    def run(conn: Connection) -> None:
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for statement in statements:
                conn.exec_driver_sql(statement)
            return
        conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        kept = conn.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
        for name, _ in kept:
            conn.exec_driver_sql(f"DROP TRIGGER {name}")
        for statement in statements:
            conn.exec_driver_sql(statement)
        for _, sql in kept:
            conn.exec_driver_sql(sql)

    desk.ledger.write(run)
