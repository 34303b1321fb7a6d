#!/usr/bin/env python3
"""`bakproof serve --s3-endpoint` and an S3 server that nobody here wrote, through a SQL client that nobody here wrote.

One process backs a database up to two stripes, copies its log, and ends. A second one, with another story and another seed,
restores from what lies in the bucket: the full, and the full with logs to a moment. What came back is backed up again and
compared with what this file makes of the first objects. Then others spoil the bucket, and the endpoint goes away.

Usage: VENV/bin/python3 tests/e2e/endpoint.py BAKPROOF
The environment needs `ministack`, `boto3` and `pymssql`. Exit 0 when every check held.
"""

import datetime
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

import boto3
import pymssql

HERE = pathlib.Path(__file__).resolve().parent
SCENARIO = HERE.parent / "conformance" / "clients" / "scenario.toml"
BUCKET, SECRET, SPEED, PATIENCE_S = "clients", "not-to-be-seen", "600", 60


def check(what, found, expected):
    if found != expected:
        raise SystemExit(f"{what}\n  expected {expected}\n  found    {found}")
    print(f"ok  {what}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cloud:
    """ministack as a process: S3 alone, which verifies signatures."""

    def __init__(self, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "SERVICES": "s3,sts", "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        log = open(folder / "ministack.log", "w")
        program = pathlib.Path(sys.executable).parent / "ministack"
        self.process = subprocess.Popen([program], env=environment, stdout=log, stderr=log, cwd=folder)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).read()
                break
            except OSError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"ministack did not start: {error}") from error
                time.sleep(0.1)
        self.s3 = boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key=SECRET
        )

    def keys(self, prefix=""):
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def read(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Story:
    """`bakproof serve` as a process, and a client of its instance."""

    running = []

    def __init__(self, bakproof, scenario, url, folder, secret=SECRET):
        environment = {
            "PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1",
        }
        command = [bakproof, "serve", str(scenario), "--speed", SPEED, "--json", "--ca", str(folder / "ca.pem")]
        self.stderr = open(folder / "stderr", "w+")
        self.process = subprocess.Popen(
            [*command, "--s3-endpoint", url], stdout=subprocess.PIPE, stderr=self.stderr, text=True, env=environment
        )
        Story.running.append(self.process)
        self.ready = self.process.stdout.readline()
        instance = json.loads(self.ready)["instances"][0]
        connection = pymssql.connect(
            server=instance["host"], port=str(instance["port"]), user=instance["user"], password=instance["password"],
            encryption="require", autocommit=True,
        )
        self.cursor = connection.cursor()

    def rows(self, sql, *values):
        self.cursor.execute(sql, values)
        return self.cursor.fetchall()

    def ends(self, sql, *values):
        """Calls a procedure that queues a task; the task's last lifecycle and what it says."""
        task = self.rows(sql, *values)[0][0]
        end = time.monotonic() + PATIENCE_S
        while True:
            row = self.rows("EXEC msdb.dbo.rds_task_status @task_id=%d", task)[0]
            if row[5] not in ("CREATED", "IN_PROGRESS"):
                return row[5], row[6]
            if time.monotonic() > end:
                raise SystemExit(f"task {task} is still {row[5]}: {row[6]}")
            time.sleep(0.1)

    def succeeds(self, what, sql, *values):
        lifecycle, info = self.ends(sql, *values)
        check(what, (lifecycle, "" if lifecycle == "SUCCESS" else info), ("SUCCESS", ""))

    def refuses(self, what, said, sql, *values):
        lifecycle, info = self.ends(sql, *values)
        check(what, (lifecycle, said if said in info else info), ("ERROR", said))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check("the server ends cleanly", self.process.wait(PATIENCE_S), 0)
        self.stderr.seek(0)
        check("and nobody saw the secret", SECRET in self.ready + self.process.stdout.read() + self.stderr.read(), False)


BACKUP = "EXEC msdb.dbo.rds_backup_database @source_db_name=%s, @s3_arn_to_backup_to=%s, @number_of_files=%d"
RESTORE = "EXEC msdb.dbo.rds_restore_database @restore_db_name=%s, @s3_arn_to_restore_from=%s, @with_norecovery=%d"
RESTORE_LOG = "EXEC msdb.dbo.rds_restore_log @restore_db_name=%s, @s3_arn_to_restore_from=%s, @with_norecovery=%d"


def arn(key, bucket=BUCKET):
    return f"arn:aws:s3:::{bucket}/{key}"


def opened(data):
    """An object as its first line says: checked and parsed by nothing of bakproof's."""
    line, body = data.split(b"\n", 1)
    magic, version, checksum, length = line.decode().split(" ")
    assert (magic, version, int(length)) == ("BAKPROOF-BACKUP", "1", len(body)), line
    assert zlib.crc32(body) == int(checksum, 16), line
    return json.loads(body)


def content(full):
    """What a data backup holds: how many transactions, and the pages by number."""
    pages = full["payload"]["pages"]
    return pages["count"], {page: (transaction, value) for page, transaction, value in pages["pages"]}


def rolled_forward(held, logs, stop_ms):
    """The same after logs, up to commits strictly before a moment."""
    count, pages = held[0], dict(held[1])
    for log in logs:
        records = log["payload"]["records"]
        for number, (at, _, page, value) in enumerate(records["records"], start=records["from"]):
            if number >= count and at < stop_ms:
                assert number == count, "a gap between logs"
                count, pages[page] = number + 1, (number, value)
    return count, pages


def first_life(story, cloud):
    """A full of two stripes and the logs behind it."""
    story.rows("EXEC msdb.dbo.rds_tlog_copy_setup @target_s3_arn=%s", arn("logs"))
    story.succeeds("a backup of two stripes succeeds", BACKUP, "pymssql", arn("full*.bak"), 2)
    check("and both are there by then", cloud.keys("full"), ["full1-of-2.bak", "full2-of-2.bak"])
    time.sleep(4)
    copy = "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name=%s, @rds_backup_starting_seq_id=%d"
    last = story.rows("SELECT rds_backup_seq_id FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('pymssql')")[-1][0]
    story.succeeds("its log is copied", copy, "pymssql", last - 11)
    sizes = [cloud.s3.head_object(Bucket=BUCKET, Key=key)["Metadata"] for key in cloud.keys("full")]
    check("stripes tell what they would weigh", all(int(size["backup-bytes"]) > 1 << 30 for size in sizes), True)
    return story.rows("SELECT backup_set_uuid, family_guid, last_lsn FROM msdb.dbo.backupset WHERE database_name='pymssql'")


def second_life(story, cloud, rows):
    full = opened(cloud.read("full1-of-2.bak"))
    header = full["header"]
    check("msdb and the object tell of one set", header["backup_set_uuid"] in [str(row[0]).upper() for row in rows], True)
    story.succeeds("a process of another story restores it", RESTORE, "again", arn("full*"), 0)
    states = story.rows("SELECT state_desc FROM sys.databases WHERE name='again'")
    check("the database is open", states, [("ONLINE",)])
    sql = "SELECT r.family_guid FROM sys.databases AS d JOIN sys.database_recovery_status AS r ON r.database_id=d.database_id"
    family = story.rows(f"{sql} WHERE d.name='again'")
    check("of the family it was of", [str(row[0]).upper() for row in family], [header["family_guid"]])
    story.succeeds("it is backed up again", BACKUP, "again", arn("again.bak"), 1)
    again = opened(cloud.read("again.bak"))
    check("with the same contents", content(again), content(full))
    check("on a new fork of the family", (again["header"]["family_guid"] == header["family_guid"],
          again["header"]["last_recovery_fork_guid"] != header["last_recovery_fork_guid"]), (True, True))

    logs = [(key, opened(cloud.read(key))) for key in cloud.keys("logs/")]
    logs = sorted(logs, key=lambda log: log[1]["payload"]["records"]["from"])
    logs = [log for log in logs if int(log[1]["header"]["last_lsn"]) > int(header["last_lsn"])]
    assert len(logs) >= 4, "too few logs"
    stop_ms = logs[3][1]["header"]["backup_finish_date"] // 1000 * 1000 - 130_000
    story.succeeds("the full stays restoring", RESTORE, "to-a-moment", arn("full*"), 1)
    for key, _ in logs[:3]:
        story.succeeds("a log is applied", RESTORE_LOG, "to-a-moment", arn(key), 1)
    stop = datetime.datetime.fromtimestamp(stop_ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    story.succeeds("and one up to a moment", f"{RESTORE_LOG}, @stopat=%s", "to-a-moment", arn(logs[3][0]), 0, stop)
    story.succeeds("which is backed up", BACKUP, "to-a-moment", arn("moment.bak"), 1)
    expected = rolled_forward(content(full), [log for _, log in logs[:4]], stop_ms)
    assert content(full)[0] < expected[0], "nothing was written between the full and the moment"
    check("and holds what was committed before it", content(opened(cloud.read("moment.bak"))), expected)


def third_life(story, cloud):
    """The first story again: it writes over what its first life wrote."""
    story.succeeds("the story that lived it restores it in another life", RESTORE, "again", arn("full*"), 0)
    story.refuses("keys of the first life are taken", "overwrite property", BACKUP, "again", arn("full*.bak"), 2)
    overwrite = f"{BACKUP}, @overwrite_s3_backup_file=1"
    before = content(opened(cloud.read("full1-of-2.bak")))
    story.succeeds("and may be written over", overwrite, "again", arn("full*.bak"), 2)
    check("with what was restored", content(opened(cloud.read("full1-of-2.bak"))), before)
    story.succeeds("and restored again", RESTORE, "once-more", arn("full*"), 0)


def troubles(story, cloud):
    cloud.s3.put_object(Bucket=BUCKET, Key="full2-of-2.bak", Body=b"nothing of the kind")
    story.refuses("what is no backup is told", "correct type and overwrite property", RESTORE, "x", arn("full*"), 0)
    cloud.s3.delete_object(Bucket=BUCKET, Key="full2-of-2.bak")
    story.refuses("a stripe that is missing is told", "All members must be provided", RESTORE, "x", arn("full*"), 0)
    story.refuses("an object that is missing is told", "Access Denied", RESTORE, "x", arn("none.bak"), 0)
    story.refuses("a key that climbs is no key", "Access Denied", BACKUP, "again", arn("a/../../b.bak"), 1)
    nowhere = arn("a.bak", "no-such-bucket")
    story.refuses("a missing bucket is told", "The specified bucket does not exist", BACKUP, "again", nowhere, 1)
    before = story.rows("SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name='again'")
    cloud.stop()
    task = story.rows(BACKUP, "again", arn("late.bak"), 1)[0][0]
    began = time.monotonic()
    story.rows("SELECT name FROM sys.databases")
    check("clients are answered while the endpoint is gone", time.monotonic() - began < 2, True)
    deadline = time.monotonic() + PATIENCE_S
    while (row := story.rows("EXEC msdb.dbo.rds_task_status @task_id=%d", task)[0])[5] in ("CREATED", "IN_PROGRESS"):
        assert time.monotonic() < deadline, row
        time.sleep(0.1)
    check("a task that cannot reach it ends so", (row[5], "Unable to reach Amazon S3" in row[6]), ("ERROR", True))
    after = story.rows("SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name='again'")
    check("and left no backup behind", after, before)


def main(bakproof):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        other = folder / "other.toml"
        text = SCENARIO.read_text().replace("seed = 20261126", "seed = 7").replace('name = "sales"', 'name = "stores"')
        other.write_text(text.replace('name = "pymssql"', 'name = "unrelated"').replace("2026-11-16", "2026-11-18"))
        cloud = Cloud(folder)
        try:
            cloud.s3.create_bucket(Bucket=BUCKET)
            story = Story(bakproof, SCENARIO, cloud.url, folder)
            rows = first_life(story, cloud)
            story.stop()
            story = Story(bakproof, SCENARIO, cloud.url, folder, "wrong")
            story.refuses("a wrong secret is no way in", "Access Denied", RESTORE, "x", arn("full*"), 0)
            story.stop()
            story = Story(bakproof, other, cloud.url, folder)
            second_life(story, cloud, rows)
            story.stop()
            story = Story(bakproof, SCENARIO, cloud.url, folder)
            third_life(story, cloud)
            troubles(story, cloud)
            story.stop()
        finally:
            cloud.stop()
            for process in Story.running:
                process.kill()


if __name__ == "__main__":
    main(sys.argv[1])
