"""What is held where in the end: the task store against the server's own list and history, and the catalogue against the buckets."""

import json

from cloud import check


def what_the_server_says(stack, story):
    """The task store against the server's own list and history."""
    done = stack.ended()
    asked = {task["state"]["task_id"]: task for task in done if task["state"]["task_id"] is not None}
    listed = {row[0]: (row[1], row[5]) for row in story.rows("EXEC msdb.dbo.rds_task_status")}
    check("no native task was asked for twice, and none is unknown", sorted(listed), sorted(asked))
    lifecycles = {"succeeded": "SUCCESS", "cancelled": "CANCELLED"}
    told = {number: lifecycles.get(task["state"]["outcome"], task["state"]["outcome"]) for number, task in asked.items()}
    check("each ended as the server says", told, {number: lifecycle for number, (_, lifecycle) in listed.items()})
    newest = {}
    for name, kind, uuid in story.rows(
        "SELECT database_name, type, CONVERT(varchar(36), backup_set_uuid) FROM msdb.dbo.backupset WHERE is_snapshot = 0 "
        "AND type IN ('D', 'I') ORDER BY backup_set_id"
    ):
        newest[name, kind] = uuid.upper()
    for head in stack.heads():
        ours = head["last_full"]["id"], head["last_differential"]["id"]
        check(f"{head['name']}: full and differential are those of the history", ours, (newest[head["name"], "D"], newest[head["name"], "I"]))
        check(f"{head['name']}: nothing is broken", (head["broken"], head["failures"]), (None, 0))


def what_the_buckets_hold(stack):
    """Each file of the catalogue is in its bucket, and nothing else."""
    s3, held = stack.cloud.client("s3"), {}
    for output in ("VaultBucketName", "LogCopyBucketName"):
        bucket = stack.outputs[output]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        held[bucket] = {found["Key"]: (found["Size"], found["ETag"].strip('"')) for page in pages for found in page.get("Contents", [])}
    records = [json.loads(item["body"]["S"]) for item in stack.table() if item["pk"]["S"].startswith("catalogue#")]
    seen = [found for record in records for found in record.get("objects", [])]
    kept = {found["key"]: (found["size_bytes"], found["etag"]) for found in seen}
    check(f"the vault holds {len(kept)} files, each as the catalogue has it", held[stack.outputs["VaultBucketName"]], kept)
    logs = [file for record in records for file in record.get("files", [])]
    check(f"and {len(logs)} copied logs lie in their bucket", len(held[stack.outputs["LogCopyBucketName"]]), len(logs))
