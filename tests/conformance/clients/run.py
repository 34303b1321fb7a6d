"""SQL clients that nobody here wrote log in to `bakproof serve` and back a database up.

Each logs in over TLS, is refused with a wrong password, asks for a full with rds_backup_database, polls rds_task_status until it
has succeeded, finds it in msdb, is told of a second task of its database, and restores it under another name. Usage: run.py BAKPROOF [NODE_MODULES]
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
# Two tasks at a time, each up to five minutes in CREATED: a story ten minutes long lasts a second.
SPEED = "600"
PATIENCE_S = 60


class Objection(Exception):
    """A client saw what it should not have."""


def arn(name):
    return f"arn:aws:s3:::clients/{name}.bak"


def until_success(read_lifecycle):
    """Polls as people do."""
    end = time.monotonic() + PATIENCE_S
    while (lifecycle := read_lifecycle()) != "SUCCESS":
        if lifecycle not in ("CREATED", "IN_PROGRESS"):
            raise Objection(f"the task is {lifecycle}")
        if time.monotonic() > end:
            raise Objection(f"the task is still {lifecycle}")
        time.sleep(0.2)


def expect(what, found):
    if not what:
        raise Objection(f"not expected: {found!r}")


def tsql(instance, _):
    """FreeTDS: the login alone is encrypted, batches are text."""

    def talk(password, sql):
        command = ["tsql", "-H", instance["host"], "-p", str(instance["port"]), "-U", instance["user"], "-P", password]
        run = subprocess.run(command, input=sql + "\nexit\n", capture_output=True, text=True, timeout=PATIENCE_S)
        return run.stdout + run.stderr

    def ask(sql):
        return talk(instance["password"], sql + "\ngo")

    refused = talk("wrong", "")
    expect("18456" in refused and "Login failed for user 'admin'." in refused, refused)
    backup = f"exec msdb.dbo.rds_backup_database @source_db_name='tsql', @s3_arn_to_backup_to='{arn('tsql')}', @type='FULL'"
    started = ask(backup)
    expect("BACKUP_DB" in started and "CREATED" in started, started)
    second = ask(backup.replace("tsql.bak", "again.bak"))
    expect("already" in second or "Msg 50000" in second, second)

    def lifecycle(database, kind):
        rows = [line.split("\t") for line in ask(f"exec msdb.dbo.rds_task_status @db_name='{database}'").splitlines()]
        return next(row[5] for row in rows if len(row) > 5 and row[1] == kind)

    until_success(lambda: lifecycle("tsql", "BACKUP_DB"))
    listed = ask("select database_name, type from msdb.dbo.backupset where database_name = 'tsql'")
    expect("tsql\tD" in listed, listed)
    restore = f"exec msdb.dbo.rds_restore_database @restore_db_name='tsql-again', @s3_arn_to_restore_from='{arn('tsql')}'"
    started = ask(restore)
    expect("RESTORE_DB" in started, started)

    until_success(lambda: lifecycle("tsql-again", "RESTORE_DB"))
    states = ask("select name, state_desc from sys.databases where name = 'tsql-again'")
    expect("tsql-again\tONLINE" in states, states)


def pymssql(instance, _):
    """DB-Library: the same protocol library, text batches and procedures by name."""
    import pymssql as client

    def connect(password):
        return client.connect(
            server=instance["host"],
            port=str(instance["port"]),
            user=instance["user"],
            password=password,
            encryption="require",
            # The service refuses its procedures inside a transaction.
            autocommit=True,
        )

    try:
        connect("wrong")
        raise Objection("a wrong password was taken")
    except client.OperationalError as refused:
        expect("18456" in str(refused), refused)
    with connect(instance["password"]) as connection, connection.cursor() as cursor:
        backup(cursor, "pymssql", "%s", client.Error, lambda sql, values: cursor.execute(sql, tuple(values)))


def mssql_python(instance, _):
    """Microsoft's own ODBC driver: prepared statements over full TLS, verified names aside."""
    import mssql_python as client

    def connect(password):
        address = f"SERVER={instance['host']},{instance['port']};UID={instance['user']};PWD={password}"
        return client.connect(f"{address};Encrypt=yes;TrustServerCertificate=yes", autocommit=True)

    try:
        connect("wrong")
        raise Objection("a wrong password was taken")
    except client.Error as refused:
        expect("Login failed" in str(refused), refused)
    connection = connect(instance["password"])
    cursor = connection.cursor()
    backup(cursor, "mssql-python", "?", client.Error, lambda sql, values: cursor.execute(sql, *values))
    connection.close()


def backup(cursor, name, mark, failure, execute):
    """What every client of Python's database interface does."""
    call = f"EXEC msdb.dbo.rds_backup_database @source_db_name={mark}, @s3_arn_to_backup_to={mark}, @type={mark}"
    execute(call, [name, arn(name), "FULL"])
    row = cursor.fetchone()
    expect(tuple(row[1:3]) == ("BACKUP_DB", "CREATED"), tuple(row))
    try:
        execute(call, [name, arn("again"), "FULL"])
        raise Objection("a second task of one database was taken")
    except failure as refused:
        expect(name in str(refused), refused)

    def lifecycle(database):
        execute(f"EXEC msdb.dbo.rds_task_status @db_name={mark}", [database])
        return cursor.fetchall()[0][5]

    until_success(lambda: lifecycle(name))
    execute(f"SELECT type FROM msdb.dbo.backupset WHERE database_name = {mark}", [name])
    listed = [tuple(row) for row in cursor.fetchall()]
    expect(("D",) in listed, listed)
    again = f"{name}-again"
    restore = f"EXEC msdb.dbo.rds_restore_database @restore_db_name={mark}, @s3_arn_to_restore_from={mark}"
    execute(restore, [again, arn(name)])
    expect(cursor.fetchone()[1] == "RESTORE_DB", "the restore")

    until_success(lambda: lifecycle(again))
    execute(f"SELECT state_desc FROM sys.databases WHERE name = {mark}", [again])
    states = [tuple(row) for row in cursor.fetchall()]
    expect(states == [("ONLINE",)], states)


def tedious(instance, modules):
    """The driver of Node: sp_executesql and procedures by name, over full TLS and over TDS 8.0, with the certificate verified."""
    environment = {**os.environ, "NODE_PATH": modules, "NODE_NO_WARNINGS": "1"}
    for encrypt in ("true", "strict"):
        run = subprocess.run(
            ["node", str(HERE / "tedious.js"), json.dumps(instance), encrypt, arn(f"tedious-{encrypt}")],
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            env=environment,
        )
        expect(run.returncode == 0 and run.stdout.strip() == "SUCCESS", run.stdout + run.stderr)


CLIENTS = [tsql, pymssql, mssql_python, tedious]


def main(bakproof, modules):
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        ca = Path(folder) / "ca.pem"
        command = [bakproof, "serve", str(HERE / "scenario.toml"), "--speed", SPEED, "--json", "--ca", str(ca)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            instance = json.loads(server.stdout.readline())["instances"][0]
            instance["ca"] = str(ca)
            for client in CLIENTS:
                began = time.monotonic()
                try:
                    client(instance, modules)
                    verdict = "logs in, backs up, polls, reads msdb, restores"
                except Exception as objection:  # noqa: BLE001: whatever a client raises is its verdict
                    verdict = f"FAILED: {type(objection).__name__}: {objection}"
                    failed += 1
                print(f"{client.__name__:<14} {time.monotonic() - began:5.1f} s  {verdict}", flush=True)
        finally:
            server.send_signal(signal.SIGTERM)
        if server.wait(PATIENCE_S) != 0:
            print(f"the server ended with {server.returncode}")
            failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "") else 0)
