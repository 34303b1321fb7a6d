#!/usr/bin/env python3
"""The whole cell on a local cloud, made from the template itself: functions, machines, task store, buckets, and an instance to protect.

ministack translates `infra/template.yaml` and creates every resource of it. The functions' real binaries run behind its Runtime API, the
deployed machines are executed by its engine, the instance is `bakproof serve` over TLS, and its backups lie in the stack's own buckets. A
morning of the story passes: first fulls, log copies, differentials. What is compared in the end is what each of them knows: the task store's
records, the server's own task list and history, the objects in the buckets.

Three things are changed for the test: code is where ministack finds it and for this machine's processor; functions get the endpoints of
ministack and the authority of `bakproof serve` in their environment; and their clock is the story's (`clock.c`), so that a morning takes a
minute.

Usage: VENV/bin/python3 tests/e2e/stack.py BIN-FOLDER BAKPROOF
BIN-FOLDER holds the functions' binaries and `examples/seed`. The environment needs `ministack[full]`, `pymssql` and a C compiler. Exit 0
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

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = REPOSITORY / "infra" / "template.yaml"
STACK, ARTIFACTS, CANARY = "bakproof", "artifacts", "canary-of-the-lambda-environment"
SPEED = 240
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
</OptionGroupMembership></OptionGroupMemberships></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"""


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
        self.formation = cloud.client("cloudformation")
        self.formation.create_stack(
            StackName=STACK, TemplateBody=text, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        )
        described = self.settled()
        check("every resource of the template is created", described["StackStatus"], "CREATE_COMPLETE", self.trouble())
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        resources = self.formation.describe_stack_resources(StackName=STACK)["StackResources"]
        self.physical = {found["LogicalResourceId"]: found["PhysicalResourceId"] for found in resources}

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

    def set_environment(self, variables):
        """Adds to the environment that the template gives each function."""
        functions = self.cloud.client("lambda")
        for logical, name in self.physical.items():
            if not logical.endswith("Function"):
                continue
            given = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            check(f"{logical} knows the table", given, {"BAKPROOF_TABLE": self.outputs["TaskStoreName"]})
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**given, **variables}})

    def start_fleet(self, number):
        """Starts the fleet machine as its schedule does, with the input that the schedule has."""
        schedule = self.cloud.client("scheduler").get_schedule(Name="FleetStateMachineEveryFiveMinutes")
        states = self.cloud.client("stepfunctions")
        states.start_execution(stateMachineArn=schedule["Target"]["Arn"], name=f"fleet-{number}", input=schedule["Target"]["Input"])

    def executions(self, output):
        states = self.cloud.client("stepfunctions")
        found = states.list_executions(stateMachineArn=self.outputs[output])["executions"]
        return sorted(found, key=lambda execution: execution["startDate"])


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


def records(stack, story, secret_arn):
    """The instance, its policy and its vault, as people enrol them."""
    return {
        "instance": {
            "name": "sales", "host": story.instance["host"], "port": story.instance["port"], "policy": "daily", "vault": "main",
            "secret_arn": secret_arn, "facts": None, "bytes_per_second": None, "trouble": None, "tasks_from": 0,
            "due_at": "2026-11-16T00:00:00Z",
        },
        "policy": {
            "name": "daily",
            "objectives": {"window_days": 7, "rpo_minutes": {"damage": 10, "instance": 150}},
            "schedule": {
                "time_zone": "Etc/UTC", "full": {"days": ["sun"], "at": "01:00:00"},
                "differential": {"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "at": "02:00:00"},
                "log_copy": {"every_minutes": 60},
            },
        },
        "vault": {
            "name": "main", "bucket": stack.outputs["VaultBucketName"], "log_bucket": stack.outputs["LogCopyBucketName"],
            "prefix": "prod", "account": ACCOUNT, "kms_key_arn": None,
        },
        "databases": ["orders", "parts"],
    }


def partition(cloud, table, key):
    """Bodies of one partition, in order of their sort keys."""
    found = cloud.client("dynamodb").query(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": key}}, ConsistentRead=True
    )["Items"]
    return [json.loads(item["body"]["S"]) for item in found]


def a_morning(stack, story):
    """Lets the fleet look every five minutes of the story, until each database has a differential in its head."""
    table, number, deadline = stack.outputs["TaskStoreName"], 0, time.monotonic() + PATIENCE_S
    while True:
        began = story.now()
        stack.start_fleet(number)
        number += 1
        while story.now() - began < datetime.timedelta(minutes=5):
            time.sleep(0.1)
        heads = partition(stack.cloud, table, "databases#sales")
        if all(head.get("last_differential") and head.get("log_tail") for head in heads):
            return heads
        if time.monotonic() > deadline:
            runs = stack.executions("InstanceStateMachineArn")
            raise SystemExit(f"no morning within {PATIENCE_S} s: {json.dumps(heads, indent=1)}\n{runs}\n{partition(stack.cloud, table, 'instance#sales')}")


def main():
    binaries, bakproof = (pathlib.Path(argument).resolve(strict=True) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="bakproof-stack-") as name:
        folder = pathlib.Path(name)
        cloud, story = Cloud(folder, SERVICES, SFN_WAIT_SCALE=str(1 / SPEED)), None
        try:
            cloud.wait()
            stack = Stack(cloud, binaries)
            story = Story(bakproof, stack, folder)
            secret = {"username": story.instance["user"], "password": story.instance["password"]}
            secret_arn = cloud.client("secretsmanager").create_secret(Name="sales", SecretString=json.dumps(secret))["ARN"]
            front = rds_front(cloud, {"sales": DESCRIBED.format(region=REGION, account=ACCOUNT)})
            stack.set_environment({
                "AWS_ENDPOINT_URL": cloud.url, "AWS_ENDPOINT_URL_RDS": f"http://127.0.0.1:{front.server_port}",
                "BAKPROOF_TRUST_BUNDLE": str(story.authority), "CANARY_PASSWORD": CANARY, **story.clock(),
            })
            text = json.dumps(records(stack, story, secret_arn))
            seed = [binaries / "examples" / "seed", stack.outputs["TaskStoreName"]]
            subprocess.run(seed, input=text, text=True, check=True, env=cloud.environment, timeout=60)
            print(a_morning(stack, story))
        except BaseException:
            print(cloud.tail(), file=sys.stderr)
            raise
        finally:
            if story:
                story.stop()
            cloud.stop()


if __name__ == "__main__":
    main()
