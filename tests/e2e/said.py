"""Everything that was written down or told anywhere, and the secrets that must not be in it.

Each place is read to its last page, and has to hold a word that is known to be there: a place that was not read finds no secret either.
"""

import base64
import json
import urllib.parse

from cell import MACHINES
from cloud import check


def forms(secret):
    """How a secret may be written: as it is, as JSON or a URL has it, in UTF-16 as TDS and backups have text, and in base64 from any byte on."""
    raw = secret.encode()
    encoded = {base64.b64encode(bytes(shift) + raw)[4 if shift else 0:-4] for shift in range(3)}
    return {raw, json.dumps(secret)[1:-1].encode(), urllib.parse.quote(secret, safe="").encode(), secret.encode("utf-16-le"), *encoded}


def logged(stack):
    """Every event of every log group."""
    logs = stack.cloud.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                yield from (event["message"] for event in events["events"])


def histories(stack):
    """Every event of every execution of every machine, with input and output."""
    for machine in MACHINES:
        for execution in stack.executions(machine):
            yield from (json.dumps(event, default=str) for event in stack.history(execution["executionArn"]))


def objects(stack):
    """Every version of every object, whole."""
    s3 = stack.cloud.client("s3")
    for output in ("VaultBucketName", "LogCopyBucketName"):
        bucket = stack.outputs[output]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for found in page.get("Versions", []):
                body = s3.get_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])["Body"].read()
                yield found["Key"].encode() + b"\n" + body


def places(stack, story, heard, gateways):
    """What was said where, and a word that is known to be there; none where nobody has to have said anything."""
    listened = heard.all()
    return {
        "lines of the functions": (list(logged(stack)), "sales"),
        "items of the task store": ([json.dumps(item) for item in stack.table()], "sales"),
        "histories of executions": (list(histories(stack)), "sales"),
        "requests to AWS": ([body for gateway in gateways.values() for body in gateway.sent], "sales"),
        "answers of the API": (stack.answers, "sales"),
        "notices to people": (listened["people"], "sales"),
        "events on the bus": (listened["bus"], "sales"),
        "objects in the buckets": (list(objects(stack)), "orders"),
        "lines of the local cloud": (stack.cloud.text().splitlines(), "bakproof"),
        "lines of the story's server": (story.log.read_text().splitlines(), None),
        "starts that were lost": (listened["lost starts"], None),
        "events that were lost": (listened["lost events"], None),
    }


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def holding(texts, secret):
    """The beginnings of texts that a secret is in."""
    wanted = forms(secret)
    return [as_bytes(text)[:300] for text in texts if any(form in as_bytes(text) for form in wanted)]


def what_was_said(stack, story, heard, gateways, secrets):
    """No secret anywhere."""
    read = places(stack, story, heard, gateways)
    lines = [text for text in read["lines of the functions"][0] if text.startswith("{")]
    check("functions wrote their lines", len(lines) > 50, True, len(lines))
    for place, (texts, word) in read.items():
        if word:
            check(f"{place} were read: {len(texts)}, {word} among them", any(word.encode() in as_bytes(text) for text in texts), True)
        found = {what: holding(texts, secret) for what, secret in secrets.items()}
        size = sum(len(text) for text in texts) >> 10
        check(f"{place}, {size} KiB: no secret of {len(secrets)} is in them", found, {what: [] for what in secrets})
    secret = next(iter(secrets.values()))
    planted = [secret, json.dumps({"a": secret}), *(base64.b64encode(f"{pad}{secret} or".encode()).decode() for pad in ("", "x", "xy"))]
    check("and it would be found", [len(holding([text], secret)) for text in planted], [1] * len(planted))
