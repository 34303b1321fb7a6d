"""Do three who know the same backups tell of the same windows? The deployed API from its catalogue, `bakproof window` from what the server
itself exports, and `bakproof simulate` of a story of the same shape.

Ids, LSNs and moments of the first two are equal. The third is another day in another process, so there the shape is: how many intervals, what
they begin with, where they are held, that they join, and which holes there are.
"""

import datetime
import decimal
import json
import re
import subprocess
import time
import uuid

from cloud import check

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


def simulated(bakproof, folder, scenario, policy):
    """Windows of a day of the same instance, databases and policy in virtual time."""
    text = scenario.read_text().replace("days = 30", "days = 1")
    head, rest = text.split("[policy]")
    _, rest = rest.split("[vault]")
    days = json.dumps(policy["schedule"]["differential"]["days"])
    written = f"""[policy]
name = "daily"
[policy.objectives]
window_days = 7
rpo_minutes = {{ damage = 10, instance = 150 }}
[policy.schedule]
time_zone = "Etc/UTC"
full = {{ days = ["sun"], at = "01:00" }}
differential = {{ days = {days}, at = "02:00" }}
log_copy = {{ every_minutes = 60 }}

"""
    story, report = folder / "same-shape.toml", folder / "same-shape.json"
    story.write_text(head + written + "[vault]" + rest)
    subprocess.run([bakproof, "simulate", story, "--json", report], check=True, stdout=subprocess.DEVNULL, timeout=300)
    return {found["window"]["database"]: found["window"] for found in json.loads(report.read_text())["databases"]}


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


def compared(ask, story, bakproof, folder, policy, databases):
    """Holds the three against each other. `ask` sends one request to the API."""
    windows = {}
    for name in databases:
        status, answer = ask("GET", f"/v1/instances/sales/databases/{name}/window")
        check(f"{name}: the API tells the window", (status, len(answer["databases"])), (200, 1), answer)
        windows[name] = answer["databases"][0]
    document, exports = newer(story, bakproof, folder, windows)
    virtual = simulated(bakproof, folder, folder / "stack.toml", policy)
    for name in databases:
        window, export, shape = windows[name], exports[name], virtual[name]
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
        kinds = backups_of(ask, name)
        theirs = {
            row["backup_set_uuid"]: ({"D": "full", "I": "differential"}[row["type"]], row.get("differential_base_guid"))
            for row in document["backups"] if row["database_name"] == name and not row["is_snapshot"] and row["type"] in "DI"
        }
        check(f"{name}: {len(theirs)} backups of data, each of its kind and on its base", kinds, theirs)
        ours = [*vault[2], "service"], causes(window), causes(export), len(window["points"])
        theirs = joined(shape["intervals"])[2], causes(shape), causes(shape), len(shape["points"])
        check(f"{name}: the same story in virtual time has a window of the same shape", ours, theirs, shape)


def backups_of(ask, name):
    """Kind and base of each backup of data, as the API lists them."""
    status, answer = ask("GET", f"/v1/instances/sales/databases/{name}/backups")
    check(f"{name}: the API lists backups", status, 200, answer)
    return {found["backup"].upper(): (found["kind"], found.get("base", "").upper() or None) for found in answer["items"]}
