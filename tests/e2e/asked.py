"""What IAM calls a request: its actions, and the ARN of what each is asked of."""

import json
import re
import urllib.parse

from cloud import ACCOUNT, REGION

# The actions behind the parts of a transaction.
PARTS = {"Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem"}


def service_of(headers):
    """The service that a request is signed for."""
    scope = re.search(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    return scope.group(1) if scope else "unsigned"


def arn(service, resource):
    return resource if resource.startswith("arn:") else f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def of_dynamodb(operation, body):
    """A transaction is asked of each table by the action of each of its parts."""
    call = json.loads(body)
    if operation == "TransactWriteItems":
        parts = [part for item in call["TransactItems"] for part in item.items()]
        return [(f"dynamodb:{PARTS[kind]}", arn("dynamodb", f"table/{part['TableName']}")) for kind, part in parts]
    index = f"/index/{call['IndexName']}" if "IndexName" in call else ""
    return [(f"dynamodb:{operation}", arn("dynamodb", f"table/{call['TableName']}{index}"))]


# What is asked of a bucket itself, by the word in the query that names it.
OF_BUCKETS = {
    "versioning": "s3:GetBucketVersioning", "encryption": "s3:GetEncryptionConfiguration", "ownershipControls": "s3:GetBucketOwnershipControls",
    "list-type": "s3:ListBucket",
}


def of_s3(method, path):
    """Path-style, as endpoints on an address are spoken to."""
    parsed = urllib.parse.urlsplit(path)
    query = urllib.parse.parse_qs(parsed.query, keep_blank_values=True)
    bucket, _, key = parsed.path.lstrip("/").partition("/")
    if key:
        action = {"GET": "s3:GetObject", "HEAD": "s3:GetObject"}.get(method, f"s3:{method}Object")
        return [(action, f"arn:aws:s3:::{bucket}/{urllib.parse.unquote(key)}")]
    words = [word for word in OF_BUCKETS if word in query]
    if method == "HEAD":
        action = "s3:ListBucket"
    else:
        action = OF_BUCKETS[words[0]] if method == "GET" and words else f"s3:{method} {parsed.query}"
    return [(action, f"arn:aws:s3:::{bucket}")]


def of_query(service, body):
    """RDS and SNS, which take forms. A list of all is asked of all, and IAM knows no resource of DescribeEvents."""
    call = {name: values[0] for name, values in urllib.parse.parse_qs(body.decode()).items()}
    action = call["Action"]
    if action == "DescribeEvents":
        return [(f"{service}:{action}", "*")]
    resource = {
        "DescribeDBInstances": f"db:{call.get('DBInstanceIdentifier', '*')}",
        "DescribeOptionGroups": f"og:{call.get('OptionGroupName', '*')}",
        "DescribeDBSnapshots": f"snapshot:{call.get('DBSnapshotIdentifier', '*')}",
        "Publish": call.get("TopicArn", ""),
    }.get(action, f"not known for {action}")
    return [(f"{service}:{action}", arn(service, resource))]


def of_json(service, operation, body):
    call = json.loads(body)
    if (service, operation) == ("events", "PutEvents"):
        buses = [entry.get("EventBusName", "default") for entry in call["Entries"]]
        return [("events:PutEvents", arn("events", bus if bus.startswith("arn:") else f"event-bus/{bus}")) for bus in buses]
    field = {"secretsmanager": "SecretId", "states": "stateMachineArn", "kms": "KeyId"}[service]
    return [(f"{service}:{operation}", arn(service, call[field]))]


def asked(service, method, path, headers, body):
    """Each action with the ARN of its resource. What is not known here gets a name that no role allows."""
    operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
    try:
        if service == "s3":
            return of_s3(method, path)
        if service in ("rds", "sns"):
            return of_query(service, body)
        return of_dynamodb(operation, body) if service == "dynamodb" else of_json(service, operation, body)
    except (KeyError, ValueError) as error:
        return [(f"{service}:{operation or method}", f"not known: {error!r} of {path}")]
