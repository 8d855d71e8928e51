"""What is asked often is answered from an index, so that its cost does not grow with history."""

import pytest
from scheduling_builders import referred, utc
from sqlalchemy import event

LATER = "WyIyMDI2LTExLTI4VDAwOjAwOjAwKzAwOjAwIiwgIkVQLTAiXQ"
ASKED = ("/offers?state=open", f"/offers?state=open&after={LATER}", "/offers", "/episodes/EP-1")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_list_case_or_timer_reads_a_whole_table(cases, subtests):
    await cases.take(referred())
    statements: list[tuple] = []

    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters))

    engine = cases.app.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    for path in ASKED:
        await cases.get(path)
    await cases.at(utc(2026, 11, 29, 9, 15))
    event.remove(engine, "before_cursor_execute", note)

    assert len(statements) > len(ASKED)
    for statement, parameters in statements:
        with subtests.test(statement=statement[:60]):
            async with cases.app.db.reading() as session:
                connection = await session.connection()
                plan = await connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", parameters
                )
                steps = [row[3] for row in plan]
            whole = [s for s in steps if s.startswith("SCAN") and "USING" not in s]
            assert [s for s in whole if s != "SCAN CONSTANT ROW"] == []
            if "LIMIT" in statement and "offers" in statement:
                assert [s for s in steps if "TEMP B-TREE" in s] == []
