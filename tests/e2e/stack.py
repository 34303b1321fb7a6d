#!/usr/bin/env python3
"""The whole cell on a local cloud, made from the template itself: functions, machines, task store, buckets, and an instance to protect.

ministack translates `infra/template.yaml` and creates every resource of it. The functions' real binaries run behind its Runtime API, the
deployed machines are executed by its engine, the instance is `bakproof serve` over TLS, and its backups lie in the stack's own buckets.
Nobody enrols the instance: discovery finds it by its tag, cannot log in, tells people, and protects its databases once it can. A morning of
the story passes: first fulls, log copies, differentials; a backup on demand is asked of the API and cancelled. Then an hour in
which every so-manieth request to AWS is turned down or lost, or its answer. In the end what each of them knows is compared: the task
store, the server's own list of tasks and its history, the windows that the API, `bakproof window` and a simulation tell, the buckets, the
roles and what was asked for under them, the engine's histories and our own interpreter, and everything that was written down anywhere and the secrets that must not be in it.

Changed for the test: code is where ministack finds it and for this machine's processor; functions get the ways to ministack and the
authority of `bakproof serve` in their environment; and their clock is the story's (`clock.c`), so that a morning takes a minute.

Usage: VENV/bin/python3 tests/e2e/stack.py BIN-FOLDER BAKPROOF
BIN-FOLDER holds the functions' binaries and `examples/actions`. The environment needs `ministack[full]`, `pymssql` and a C compiler. Exit 0
when every check held.
"""

import datetime
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import pymssql

sys.dont_write_bytecode = True

from cloud import ACCOUNT, REGION, REPOSITORY, Cloud, check, function_zip, rds_front
from gateway import Gateway, Trouble
from replay import replayed
from windows import compared

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = REPOSITORY / "infra" / "template.yaml"
STACK, ARTIFACTS = "bakproof", "artifacts"
CANARY, WRONG = "canary-of-the-session-token", "canary-of-a-wrong-password"
ENDPOINTS = "DYNAMODB", "EVENTBRIDGE", "KMS", "RDS", "S3", "SECRETS_MANAGER", "SFN", "SNS"
SPEED, TROUBLE_EVERY = 240, 9
# Allowed and not asked for in this story: the instance's vault has no key; nothing waits for the event; the queue is Lambda's to fill.
UNUSED = {"ValidateRegionFunction": {"kms:DescribeKey"}, "ObserveEventFunction": {"sqs:SendMessage", "states:StartExecution"}}
# Asked for by whichever function has something to tell.
TELLS = {"events:PutEvents"}
SERVICES = (
    "cloudformation,dynamodb,ec2,events,iam,kms,lambda,logs,monitoring,rds,s3,scheduler,secretsmanager,sns,sqs,states,sts"
)
PATIENCE_S = 240

DESCRIBED = """<DescribeDBInstancesResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeDBInstancesResult><DBInstances>
<DBInstance><DBInstanceIdentifier>sales</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:{region}:{account}:db:sales</DBInstanceArn>
<DBInstanceStatus>available</DBInstanceStatus><Engine>sqlserver-se</Engine><EngineVersion>16.00.4215.2.v1</EngineVersion>
<MultiAZ>false</MultiAZ><StorageEncrypted>false</StorageEncrypted><BackupRetentionPeriod>7</BackupRetentionPeriod>
<PreferredBackupWindow>23:00-23:30</PreferredBackupWindow>
<PreferredMaintenanceWindow>sun:04:30-sun:05:00</PreferredMaintenanceWindow>
<OptionGroupMemberships><OptionGroupMembership><OptionGroupName>bakproof</OptionGroupName><Status>in-sync</Status>
</OptionGroupMembership></OptionGroupMemberships><Endpoint><Address>{host}</Address><Port>{port}</Port></Endpoint>
<TagList><Tag><Key>backup</Key><Value>Gold</Value></Tag></TagList></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"""


class Stack:
    """The template's resources on a local cloud."""

    def __init__(self, cloud, binaries):
        self.cloud = cloud
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})

        def packaged(found):
            field, path = found.group(1), pathlib.PurePosixPath(found.group(2))
            if field == "DefinitionUri":
                key, body = path.name, (REPOSITORY / "statemachine" / path.name).read_bytes()
            else:
                key = f"{path.name}.zip"
                binary = binaries / path.name
                body = function_zip(binary if field == "CodeUri" else TEMPLATE)
            s3.put_object(Bucket=ARTIFACTS, Key=key, Body=body)
            return f"{field}: s3://{ARTIFACTS}/{key}"

        text = re.sub(r"(CodeUri|ContentUri|DefinitionUri): (\S+)", packaged, TEMPLATE.read_text())
        text = text.replace("Architectures: [arm64]", "Architectures: [x86_64]")
        # The one alarm over several metrics: ministack has no metric math.
        text, left_out = re.subn(r"^  StoreThrottled:\n(?:(?:    .*)?\n)+", "", text, flags=re.M)
        assert left_out == 1, left_out
        self.formation = cloud.client("cloudformation")
        # Over S3, as SAM deploys it: in the request itself CloudFormation takes 51,200 bytes.
        s3.put_object(Bucket=ARTIFACTS, Key="template.yaml", Body=text.encode())
        self.formation.create_stack(
            StackName=STACK, TemplateURL=f"{cloud.url}/{ARTIFACTS}/template.yaml",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        described = self.settled()
        check("every resource of the template is created", described["StackStatus"], "CREATE_COMPLETE", self.trouble())
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        resources = self.formation.describe_stack_resources(StackName=STACK)["StackResources"]
        self.physical = {found["LogicalResourceId"]: found["PhysicalResourceId"] for found in resources}
        # The one property of the buckets that ministack's CloudFormation leaves out.
        rules = re.search(r"  LogCopyBucket:.*?ObjectOwnership: (\w+)", text, re.S).group(1)
        controls = {"Rules": [{"ObjectOwnership": rules}]}
        s3.put_bucket_ownership_controls(Bucket=self.outputs["LogCopyBucketName"], OwnershipControls=controls)

    def settled(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            described = self.formation.describe_stacks(StackName=STACK)["Stacks"][0]
            if not described["StackStatus"].endswith("IN_PROGRESS"):
                return described
            assert time.monotonic() < deadline, "the stack is never done"
            time.sleep(0.2)

    def trouble(self):
        events = self.formation.describe_stack_events(StackName=STACK)["StackEvents"]
        return [(event["LogicalResourceId"], event.get("ResourceStatusReason")) for event in events if "FAILED" in event["ResourceStatus"]]

    def functions(self):
        """Names as ministack has them, by those of the template."""
        return {logical: name for logical, name in self.physical.items() if logical.endswith("Function")}

    def set_environment(self, gateways, variables):
        """Adds to the environment that the template gives each function."""
        functions = self.cloud.client("lambda")
        for logical, name in self.functions().items():
            given = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            check(f"{logical} knows the table", given["BAKPROOF_TABLE"], self.outputs["TaskStoreName"])
            url = gateways[logical].url
            # By service: ministack sets the variable for all services itself.
            ways = {f"AWS_ENDPOINT_URL_{service}": url for service in ENDPOINTS}
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**given, **ways, **variables}})

    def ask(self, method, path, body=None, **headers):
        """One request to the API, as the gateway hands it on; ministack's own authenticates nobody."""
        request = {
            "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {"accept": "application/json", **headers},
            "requestContext": {
                "stage": "$default", "requestId": "request", "http": {"method": method, "path": path},
                "authorizer": {"iam": {"userArn": f"arn:aws:iam::{ACCOUNT}:user/operator"}},
            },
            "isBase64Encoded": False,
        }
        if body is not None:
            request["headers"]["content-type"], request["body"] = "application/json", json.dumps(body)
        name = self.functions()["ApiFunction"]
        answer = json.loads(self.cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(request))["Payload"].read())
        assert "statusCode" in answer, answer
        return answer["statusCode"], json.loads(answer["body"])

    def start_fleet(self, number):
        """Starts the fleet machine as its schedule does, with the input that the schedule has."""
        schedule = self.cloud.client("scheduler").get_schedule(Name=self.physical["FleetStateMachineEveryFiveMinutes"])
        states = self.cloud.client("stepfunctions")
        states.start_execution(stateMachineArn=schedule["Target"]["Arn"], name=f"fleet-{number}", input=schedule["Target"]["Input"])

    def executions(self, output):
        states = self.cloud.client("stepfunctions")
        found = states.list_executions(stateMachineArn=self.outputs[output], maxResults=1000)["executions"]
        return sorted(found, key=lambda execution: execution["startDate"])

    def table(self):
        """Every item of the task store."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs["TaskStoreName"])
        return [item for page in pages for item in page["Items"]]


class Story:
    """`bakproof serve` as a process, and a client of its instance."""

    def __init__(self, bakproof, stack, folder):
        text = (HERE / "stack.toml").read_text()
        for name, value in stack.outputs.items():
            text = text.replace(f"${{{name}}}", value)
        scenario = folder / "stack.toml"
        scenario.write_text(text)
        self.authority = folder / "authority.pem"
        command = [bakproof, "serve", scenario, "--speed", str(SPEED), "--json", "--ca", self.authority, "--s3-endpoint", stack.cloud.url]
        self.stderr = open(folder / "serve.log", "w+")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.stderr, text=True, env=stack.cloud.environment
        )
        self.instance = json.loads(self.process.stdout.readline())["instances"][0]
        connection = pymssql.connect(
            server=self.instance["host"], port=str(self.instance["port"]), user=self.instance["user"],
            password=self.instance["password"], encryption="require", autocommit=True,
        )
        self.cursor = connection.cursor()

    def rows(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall()

    def now(self):
        return self.rows("SELECT SYSUTCDATETIME()")[0][0].replace(tzinfo=datetime.timezone.utc)

    def clock(self):
        """The environment that gives a process the story's clock."""
        library = self.authority.parent / "clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "clock.c"], check=True)
        story, real = self.now(), time.time_ns()
        at = int(story.timestamp() * 1_000_000) * 1_000
        return {"LD_PRELOAD": str(library), "STORY_CLOCK": f"{real} {at} {SPEED}"}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


POLICY = {
    "name": "daily",
    "objectives": {"window_days": 7, "rpo_minutes": {"damage": 10, "instance": 150}},
    "schedule": {
        "time_zone": "Etc/UTC", "full": {"days": ["sun"], "at": "01:00:00"},
        "differential": {"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "at": "02:00:00"},
        "log_copy": {"every_minutes": 60},
    },
}


def settings(stack, secret_arn):
    """What people set: a policy, a vault, and what discovery enrols."""
    vault = {
        "bucket": stack.outputs["VaultBucketName"], "log_bucket": stack.outputs["LogCopyBucketName"], "prefix": "prod", "account": ACCOUNT,
    }
    discovery = {"tags": ["backup=gold"], "policy": "daily", "vault": "main", "secret_arn": secret_arn}
    for path, body in [("/v1/policies/daily", POLICY), ("/v1/vaults/main", vault), ("/v1/discovery/all", discovery)]:
        status, told = stack.ask("PUT", path, body)
        check(f"PUT {path}", status, 201, told)


def look(stack, name):
    """Starts the discovery machine with the input that its schedule has, and waits for its end."""
    schedule = stack.cloud.client("scheduler").get_schedule(Name=stack.physical["DiscoveryStateMachineEveryEightHours"])
    states = stack.cloud.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=schedule["Target"]["Arn"], name=name, input=schedule["Target"]["Input"])["executionArn"]
    deadline = time.monotonic() + PATIENCE_S
    while (described := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, f"{name} is never done"
        time.sleep(0.1)
    check(f"discovery, {name}", described["status"], "SUCCEEDED", described)


def discovered(stack):
    status, told = stack.ask("GET", "/v1/instances/sales/discovered")
    assert status == 200, told
    return told


def discovery(stack, secret_arn, secret):
    """The instance is found by its tag; its databases once its secret opens it. People are told of the time between, once."""
    sns, sqs = stack.cloud.client("sns"), stack.cloud.client("sqs")
    queue = sqs.create_queue(QueueName="people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=stack.outputs["NoticeTopicArn"], Protocol="sqs", Endpoint=arn)
    look(stack, "with-a-wrong-password")
    look(stack, "with-a-wrong-password-still")
    told = discovered(stack)
    check("the look failed twice and says why", (told["failures"], told["items"]), (2, []), told)
    messages = []
    while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in found:
            messages.append(json.loads(message["Body"])["Subject"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    check("people are told once", messages, ["bakproof: discovery of the databases of sales failed"])
    stack.cloud.client("secretsmanager").put_secret_value(SecretId=secret_arn, SecretString=json.dumps(secret))
    look(stack, "with-the-right-password")
    told = discovered(stack)
    changes = {seen["name"]: seen["change"]["is"] for seen in told["items"]}
    check("both databases are new", (changes, told["failures"]), ({"orders": "new", "parts": "new"}, 0), told)
    check("and protected", sorted(head["name"] for head in heads(stack)), ["orders", "parts"])


def looked_at_again(stack):
    """The API starts a look; nothing has changed."""
    status, told = stack.ask("POST", "/v1/discovery")
    check("a look is asked for", (status, told["is_new"]), (202, True), told)
    deadline = time.monotonic() + PATIENCE_S
    while {seen["change"]["is"] for seen in discovered(stack)["items"]} != {"unchanged"}:
        assert time.monotonic() < deadline, "nobody looked again"
        time.sleep(0.5)


def partition(cloud, table, key):
    """Bodies of one partition, in order of their sort keys."""
    found = cloud.client("dynamodb").query(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": key}}, ConsistentRead=True
    )["Items"]
    return [json.loads(item["body"]["S"]) for item in found]


def fleets(stack, story, until, what, numbers=iter(range(1_000_000))):
    """Starts the fleet every five minutes of the story, as the schedule does, until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        began = story.now()
        stack.start_fleet(next(numbers))
        while story.now() - began < datetime.timedelta(minutes=5):
            time.sleep(0.05)
        if until():
            print(f"ok  {what}, {story.now():%H:%M}", flush=True)
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"never: {what}\n{heads(stack)}\n{partition(stack.cloud, stack.outputs['TaskStoreName'], 'instance#sales')}")


def heads(stack):
    return partition(stack.cloud, stack.outputs["TaskStoreName"], "databases#sales")


def ended(stack):
    """Tasks of ours that ended."""
    return partition(stack.cloud, stack.outputs["TaskStoreName"], "done#sales")


def open_tasks(stack):
    return partition(stack.cloud, stack.outputs["TaskStoreName"], "open#sales")


def a_morning(stack, story):
    """First fulls, log copies at one and two, differentials at two."""
    fleets(stack, story, lambda: all(head.get("last_differential") and head.get("log_tail") for head in heads(stack)),
           "each database has a full, a differential and copied logs")


def on_demand(stack, story):
    """A backup is asked for, and cancelled; the run carries both out."""
    path, key = "/v1/instances/sales/databases/orders/backups", {"idempotency-key": "one"}
    status, told = stack.ask("POST", path, {"kind": "full"}, **key)
    check("a backup on demand is accepted", status, 202, told)
    again = stack.ask("POST", path, {"kind": "full"}, **key)
    check("asked for again under the same key it is the same", (again[0], again[1]["task"]), (202, told["task"]))
    check("the caller is told that it becomes the base", "BecomesBase" in [note["name"] for note in told["notes"]], True, told)
    status, answer = stack.ask("PUT", f"/v1/instances/sales/tasks/{told['task']}/cancel")
    check("a cancel is accepted", (status, answer["outcome"]), (202, "requested"), answer)

    def is_cancelled():
        return [task["state"]["outcome"] for task in ended(stack) if task["key"] == told["task"]] == ["cancelled"]

    fleets(stack, story, is_cancelled, "the backup on demand has ended as cancelled")


def trouble_and_calm(stack, story, trouble):
    """An hour in which requests are turned down or lost, or their answers; then everything comes to its end."""
    until = story.now() + datetime.timedelta(hours=1)
    before = {head["name"]: head["log_tail"]["seq"] for head in heads(stack)}
    trouble.every = TROUBLE_EVERY
    fleets(stack, story, lambda: story.now() > until, "an hour of trouble")
    trouble.every = 0
    check(f"and it was made: {trouble.made}", min(trouble.made.values()) > 2, True, trouble.made)

    def is_calm():
        return not open_tasks(stack) and all(head["log_tail"]["seq"] >= before[head["name"]] + 12 for head in heads(stack))

    fleets(stack, story, is_calm, "in the calm the logs of that hour are copied, and nothing is open")


def overdue(stack):
    """What the looks of the fleet told the alarm on missed promises: seconds, `None` where they could not find out."""
    states = stack.cloud.client("stepfunctions")
    described = [states.describe_execution(executionArn=execution["executionArn"]) for execution in stack.executions("FleetStateMachineArn")]
    return [json.loads(look["output"]).get("rpo_overdue_seconds") for look in described if look["status"] == "SUCCEEDED"]


def an_event(stack):
    """RDS tells of a backup, twice, and of an instance that nobody enrolled."""
    def told(instance):
        event = {
            "version": "0", "id": "event", "detail-type": "RDS DB Instance Event", "source": "aws.rds", "account": ACCOUNT,
            "time": "2026-11-16T03:12:00Z", "region": REGION, "resources": [f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{instance}"],
            "detail": {"EventCategories": ["backup"], "SourceType": "DB_INSTANCE", "SourceIdentifier": instance, "EventID": "RDS-EVENT-0002"},
        }
        name = stack.functions()["ObserveEventFunction"]
        answer = stack.cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read()
        return json.loads(answer).get("outcome")

    check("events are observed once", [told("sales"), told("sales"), told("nobody")], ["recorded", "known", "ignored"])


def at_rest(stack):
    """No execution runs and no task is open: from here on nothing happens that is not asked for, however slow the machine is."""
    states, deadline, number = stack.cloud.client("stepfunctions"), time.monotonic() + PATIENCE_S, 0
    machines = [stack.outputs[name] for name in ("FleetStateMachineArn", "InstanceStateMachineArn", "DiscoveryStateMachineArn")]
    while True:
        assert time.monotonic() < deadline, ("never at rest", open_tasks(stack))
        if any(states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"] for arn in machines):
            time.sleep(0.2)
        elif open_tasks(stack):
            number += 1
            stack.start_fleet(f"rest-{number}")
        else:
            return print("ok  nothing runs and nothing is open", flush=True)


def what_the_server_says(stack, story):
    """The task store against the server's own list and history."""
    done = ended(stack)
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
    for head in heads(stack):
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


def what_was_asked_of_aws(stack, gateways, ports):
    """The roles of the template against the requests, both ways. An action that no request needed is one of a port that others needed."""
    iam = stack.cloud.client("iam")
    for logical, gateway in sorted(gateways.items()):
        role = stack.physical[f"{logical}Role"]
        allowed = set()
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            for statement in iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]:
                allowed.update(statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
        check(f"{logical} asks for nothing that its role may not", gateway.asked - allowed, set())
        used = {action for actions in ports.values() if gateway.asked & set(actions) for action in actions}
        check(f"{logical} may do nothing that its ports do not need", allowed - used - TELLS, UNUSED.get(logical, set()))
    check("what happened is told on the bus", gateways["PollTasksFunction"].asked >= TELLS, True)


def what_the_engines_say(stack, folder):
    """The deployed machines in the engine of ministack and in our interpreter: the same states, and the same runs started."""
    states, begun = stack.cloud.client("stepfunctions"), {}
    for machine in ("Instance", "Fleet"):
        output = f"{machine}StateMachineArn"
        definition = states.describe_state_machine(stateMachineArn=stack.outputs[output])["definition"]
        runs = []
        for execution in stack.executions(output):
            described = states.describe_execution(executionArn=execution["executionArn"])
            if machine == "Instance":
                begun[execution["name"]] = json.loads(described["input"])
            if described["status"] == "SUCCEEDED":
                history = states.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)["events"]
                runs.append((described, history))
        visited, parted, started = replayed(folder, definition, runs)
        check(f"{len(runs)} runs of {machine} took the same way through {visited} states in both engines", parted, [])
    # The last to be replayed is the fleet, whose Map starts them; the API and runs that hand over start some as well.
    there = {name: begun.get(name) for name in started}
    check(f"and the Map of the fleet started the same {len(started)} runs", (there, len(started) > 3), (started, True))


def what_was_written_down(stack, story, secrets):
    """No secret anywhere: logs, items, histories of executions, what the story's server said."""
    logs, said = stack.cloud.client("logs"), [stack.cloud.text(), json.dumps(stack.table())]
    for group in logs.describe_log_groups()["logGroups"]:
        events = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        said += [event["message"] for event in events]
    lines = sum(1 for line in said if line.startswith("{"))
    states = stack.cloud.client("stepfunctions")
    for output in ("InstanceStateMachineArn", "FleetStateMachineArn", "DiscoveryStateMachineArn"):
        for execution in stack.executions(output):
            said.append(json.dumps(states.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)["events"], default=str))
    check("functions wrote their lines", lines > 50, True, lines)
    for what, secret in secrets.items():
        check(f"{what} is nowhere in {sum(map(len, said)) >> 10} KiB", [text[:300] for text in said if secret in text], [])


def main():
    binaries, bakproof = (pathlib.Path(argument).resolve(strict=True) for argument in sys.argv[1:])
    ports = json.loads(subprocess.run([binaries / "examples" / "actions"], check=True, stdout=subprocess.PIPE).stdout)
    with tempfile.TemporaryDirectory(prefix="bakproof-stack-") as name:
        folder = pathlib.Path(name)
        cloud, story = Cloud(folder, SERVICES, SFN_WAIT_SCALE=str(1 / SPEED)), None
        try:
            cloud.wait()
            stack = Stack(cloud, binaries)
            story = Story(bakproof, stack, folder)
            secret = {"username": story.instance["user"], "password": story.instance["password"]}
            wrong = {**secret, "password": WRONG}
            secret_arn = cloud.client("secretsmanager").create_secret(Name="sales", SecretString=json.dumps(wrong))["ARN"]
            ends = {"host": story.instance["host"], "port": story.instance["port"]}
            described = DESCRIBED.format(region=REGION, account=ACCOUNT, **ends)
            # One of the name, and the list of all.
            front = rds_front(cloud, {"sales": described, "": described})
            trouble = Trouble()
            rds_url = f"http://127.0.0.1:{front.server_port}"
            gateways = {logical: Gateway(cloud.url, rds_url, trouble) for logical in stack.functions()}
            # A token is a secret too; requests signed with it go through the gateways as they do on AWS.
            stack.set_environment(gateways, {"BAKPROOF_TRUST_BUNDLE": str(story.authority), "AWS_SESSION_TOKEN": CANARY, **story.clock()})
            settings(stack, secret_arn)
            discovery(stack, secret_arn, secret)
            a_morning(stack, story)
            on_demand(stack, story)
            told = overdue(stack)
            check("every look of the fleet tells by how much a promise is missed, at first by nothing", (told[0], None in told), (0, False), told)
            trouble_and_calm(stack, story, trouble)
            fleets(stack, story, lambda: overdue(stack)[-1] == 0, "no promise is missed any more")
            looked_at_again(stack)
            an_event(stack)
            at_rest(stack)
            what_the_server_says(stack, story)
            what_the_buckets_hold(stack)
            compared(stack.ask, story, bakproof, folder, POLICY, ["orders", "parts"])
            what_was_asked_of_aws(stack, gateways, ports)
            what_the_engines_say(stack, folder)
            what_was_written_down(stack, story, {"the password": story.instance["password"], "a wrong one": WRONG, "the session token": CANARY})
        except BaseException:
            print(cloud.tail(), file=sys.stderr)
            raise
        finally:
            if story:
                story.stop()
            cloud.stop()


if __name__ == "__main__":
    main()
