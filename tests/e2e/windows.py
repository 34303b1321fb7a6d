"""Do three who know the same backups tell of the same windows? The deployed API from its catalogue, `bakproof window` from what the server
itself exports, and the API of the same story in the simulator (`twin.py` says what is equal there, and what cannot be).

Ids, LSNs and moments of the first two are equal.
"""

import datetime
import decimal
import json
import re
import subprocess
import time
import uuid

from cloud import check
from twin import continuous, intervals, normal, twin

BACKUPSET = (
    "backup_set_uuid", "database_name", "server_name", "family_guid", "database_guid", "type", "first_lsn", "last_lsn", "checkpoint_lsn",
    "database_backup_lsn", "differential_base_lsn", "differential_base_guid", "is_copy_only", "is_snapshot", "is_damaged",
    "has_bulk_logged_data", "begins_log_chain", "first_recovery_fork_guid", "last_recovery_fork_guid", "fork_point_lsn", "recovery_model",
    "backup_start_date", "backup_finish_date", "time_zone", "last_valid_restore_time", "backup_size", "compressed_backup_size",
    "software_major_version",
)
TASKS = "task_id", "task_type", "database_name", "lifecycle", "created_at", "last_updated", "S3_object_arn"
LOGS = (
    "db_name", "db_id", "family_guid", "rds_backup_seq_id", "backup_file_epoch", "backup_file_time_utc", "starting_lsn", "ending_lsn",
    "is_log_chain_broken", "file_size_bytes", "Error",
)
LSN = re.compile("lsn|size")
PATIENCE_S = 60


def cell(name, value):
    """A value as `export_history.sql` writes it."""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value).upper()
    if isinstance(value, decimal.Decimal) or (value is not None and LSN.search(name)):
        return str(value)
    return value


def rows(story, columns, source):
    found = story.rows(f"SELECT {', '.join(columns)} FROM {source}")
    return [{name: cell(name, value) for name, value in zip(columns, row) if value is not None} for row in found]


def exported(story, databases):
    """The document that `export_history.sql` makes, column by column: the simulated server has no FOR JSON."""
    logs = [row for name in databases for row in rows(story, LOGS, f"msdb.dbo.rds_fn_list_tlog_backup_metadata('{name}')")]
    tasks = rows(story, TASKS, "msdb.dbo.rds_fn_task_status(NULL, 0)")
    return {"backups": rows(story, BACKUPSET, "msdb.dbo.backupset"), "rds_tasks": tasks, "rds_logs": logs}


def moment(text):
    return datetime.datetime.fromisoformat(text)


def joined(intervals):
    """First and last moment of intervals that follow each other without a hole, and where each is held; `None` where they do not."""
    for left, right in zip(intervals, intervals[1:]):
        if left["to"] != right["from"]:
            return None
    return intervals[0]["from"], intervals[-1]["to"], [interval["held_in"] for interval in intervals]


def causes(window):
    """Why something cannot be restored. Before the first backup nothing can: only an export knows of logs from then."""
    return sorted(hole["cause"] for hole in window["holes"] if hole["cause"] != "before_first_backup")


def by_database(report):
    return {window["database"]: window for window in report["databases"]}


def told(bakproof, *arguments):
    return json.loads(subprocess.run([bakproof, *arguments], check=True, stdout=subprocess.PIPE, timeout=300).stdout)


def newer(story, bakproof, folder, windows):
    """An export, and its windows, with a log of each database that the vault has not: one is made every five minutes, no run is at work."""
    history, deadline = folder / "history.json", time.monotonic() + PATIENCE_S
    while True:
        document = exported(story, windows)
        history.write_text(json.dumps(document))
        exports = by_database(told(bakproof, "window", history, "--now", story.now().isoformat(), "--json"))
        if all(moment(exports[name]["intervals"][-1]["to"]) > moment(windows[name]["intervals"][-1]["to"]) for name in windows):
            return document, exports
        assert time.monotonic() < deadline, "the server makes no logs any more"
        time.sleep(0.5)


def by_the_server(window, export, document, name):
    """The window of the vault against the one of the server's own export."""
    vault, both = joined(window["intervals"]), joined(export["intervals"])
    check(f"{name}: no hole inside, neither here nor there", (vault is None, both is None), (False, False), (window, export))
    check(f"{name}: both begin with the same full", window["intervals"][0]["anchor"], export["intervals"][0]["anchor"])
    check(f"{name}: and at the same moment", vault[0], both[0])
    ends = moment(vault[0]) < moment(vault[1]) < moment(both[1])
    check(f"{name}: what is in the vault is part of what the server has made", ends, True, (vault, both))
    logs = {row["backup_file_time_utc"][:19] for row in document["rds_logs"] if row["db_name"] == name}
    check(f"{name}: the vault ends where a log of the server ends", vault[1][:19] in logs, True, (vault, sorted(logs)[-3:]))
    points = [{(point["at"], point["backup"]) for point in report["points"]} for report in (window, export)]
    check(f"{name}: points are the same", points[0], points[1])
    check(f"{name}: and nothing is missing", (causes(window), causes(export)), ([], []))


def listed(ask, name, what):
    status, answer = ask("GET", f"/v1/instances/sales/databases/{name}/{what}")
    check(f"{name}: the API lists {what}", status, 200, answer)
    return answer["items"]


def catalogue(backups, document, name):
    """Kind and base of each backup of data as the API lists them, against the server's own history."""
    kinds = {found["backup"].upper(): (found["kind"], found.get("base", "").upper() or None) for found in backups}
    theirs = {
        row["backup_set_uuid"]: ({"D": "full", "I": "differential"}[row["type"]], row.get("differential_base_guid"))
        for row in document["backups"] if row["database_name"] == name and not row["is_snapshot"] and row["type"] in "DI"
    }
    check(f"{name}: {len(theirs)} backups of data, each of its kind and on its base", kinds, theirs)


def of_window(ask, name):
    status, answer = ask("GET", f"/v1/instances/sales/databases/{name}/window")
    check(f"{name}: the API tells the window", (status, len(answer["databases"])), (200, 1), answer)
    return answer["databases"][0]


def compared(stack, story, bakproof, folder, databases):
    """Holds the three against each other."""
    windows = {name: of_window(stack.ask, name) for name in databases}
    backups = {name: listed(stack.ask, name, "backups") for name in databases}
    days = {name: listed(stack.ask, name, "log-days") for name in databases}
    document, exports = newer(story, bakproof, folder, windows)
    for name in databases:
        by_the_server(windows[name], exports[name], document, name)
        catalogue(backups[name], document, name)
    with twin(bakproof, folder, folder / "stack.toml") as other:
        task = None
        for at, method, path, body, headers in stack.asked_for:
            other.until(at)
            status, told = other.ask(method, path.format(task=task), body, **headers)
            check(f"the twin is asked too, {at:%H:%M}", status in (200, 202), True, told)
            task = told.get("task", task)
        other.until(story.now())
        for name in databases:
            theirs = normal(listed(other.ask, name, "backups"))
            check(f"{name}: the same {len(theirs)} backups in virtual time, by kind, base, files, order and ranges", normal(backups[name]), theirs)
            check(f"{name}: and logs in one row", continuous(days[name]), continuous(listed(other.ask, name, "log-days")))
            window = of_window(other.ask, name)
            check(f"{name}: and a window of the same intervals", intervals(windows[name]), intervals(window), window)
            holes = causes(windows[name]), len(windows[name]["points"]), len(windows[name]["orphans"])
            check(f"{name}: with the same holes", holes, (causes(window), len(window["points"]), len(window["orphans"])))
