"""The cell: the template's resources on a local cloud, how they are spoken to, and the instance that they protect."""

import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pymssql
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloud import ACCOUNT, REGION, REPOSITORY, check, function_zip

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = REPOSITORY / "infra" / "template.yaml"
STACK, ARTIFACTS = "bakproof", "artifacts"
ENDPOINTS = "DYNAMODB", "EVENTBRIDGE", "KMS", "RDS", "S3", "SECRETS_MANAGER", "SFN", "SNS"
MACHINES = "InstanceStateMachine", "FleetStateMachine", "DiscoveryStateMachine"
# Seconds of the story in one.
SPEED = 240
PATIENCE_S = 240


def by(deadline, what):
    """A moment's rest, or the end of patience."""
    assert time.monotonic() < deadline, what
    time.sleep(0.05)


def stripped(binary):
    """A binary without its symbols, which are most of a debug build."""
    path = pathlib.Path(tempfile.gettempdir()) / f"stripped-{os.getpid()}"
    subprocess.run(["strip", "-o", path, binary], check=True)
    return path


class Stack:
    """The template's resources on a local cloud."""

    def __init__(self, cloud, binaries, secret_arn):
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
                body = function_zip(stripped(binary) if field == "CodeUri" else TEMPLATE)
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
            Parameters=[{"ParameterKey": "SecretArns", "ParameterValue": secret_arn}],
        )
        described = self.settled()
        check("every resource of the template is created", described["StackStatus"], "CREATE_COMPLETE", self.trouble())
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        resources = self.formation.describe_stack_resources(StackName=STACK)["StackResources"]
        self.physical = {found["LogicalResourceId"]: found["PhysicalResourceId"] for found in resources}
        # Every answer of the API, as it came, and the entity tag of the last; what people asked for, with the moment of the story.
        self.answers, self.asked_for, self.etag = [], [], None
        # The one property of the buckets that ministack's CloudFormation leaves out.
        rules = re.search(r"  LogCopyBucket:.*?ObjectOwnership: (\w+)", text, re.S).group(1)
        controls = {"Rules": [{"ObjectOwnership": rules}]}
        s3.put_bucket_ownership_controls(Bucket=self.outputs["LogCopyBucketName"], OwnershipControls=controls)
        self.open_endpoint()
        iam = cloud.client("iam")
        iam.create_user(UserName="operator")
        key = iam.create_access_key(UserName="operator")["AccessKey"]
        self.operator = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def settled(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            described = self.formation.describe_stacks(StackName=STACK)["Stacks"][0]
            if not described["StackStatus"].endswith("IN_PROGRESS"):
                return described
            by(deadline, "the stack is never done")

    def trouble(self):
        events = self.formation.describe_stack_events(StackName=STACK)["StackEvents"]
        return [(event["LogicalResourceId"], event.get("ResourceStatusReason")) for event in events if "FAILED" in event["ResourceStatus"]]

    def open_endpoint(self):
        """What CloudFormation does with the body of the HTTP API, and ministack does not: its routes, each with what it invokes and who may ask."""
        resources = self.formation.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]["Resources"]
        body, api = resources["Api"]["Properties"]["Body"], self.cloud.client("apigatewayv2")
        kinds = {name: scheme["x-amazon-apigateway-authtype"] for name, scheme in body["components"]["securitySchemes"].items()}
        for path, methods in body["paths"].items():
            for method, operation in methods.items():
                given = operation["x-amazon-apigateway-integration"]
                logical, = re.findall(r"\$\{(\w+Function)\.Arn\}", given["uri"]["Fn::Sub"])
                arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.physical[logical]}"
                integration = api.create_integration(
                    ApiId=self.physical["Api"], IntegrationType=given["type"].upper(), IntegrationUri=arn,
                    PayloadFormatVersion=given["payloadFormatVersion"],
                )["IntegrationId"]
                is_signed = [kinds[name] for one in operation.get("security", []) for name in one] == ["awsSigv4"]
                api.create_route(
                    ApiId=self.physical["Api"], RouteKey="$default" if operation.get("isDefaultRoute") else f"{method.upper()} {path}",
                    Target=f"integrations/{integration}", AuthorizationType="AWS_IAM" if is_signed else "NONE",
                )

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

    def ask(self, method, path, body=None, is_signed=True, **headers):
        """One request to the endpoint of the HTTP API, signed as its callers sign: status and body."""
        url = f"{self.cloud.url}/_aws/execute-api/{self.physical['Api']}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = AWSRequest(method, url, data=data, headers={"accept": "application/json", **headers})
        if body is not None:
            request.headers["content-type"] = "application/json"
        if is_signed:
            SigV4Auth(self.operator, "execute-api", REGION).add_auth(request)
        asked = urllib.request.Request(url, data=data, headers=dict(request.headers.items()), method=method)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                status, text, self.etag = answer.status, answer.read().decode(), answer.headers.get("etag")
        except urllib.error.HTTPError as refused:
            status, text, self.etag = refused.code, refused.read().decode(), None
        self.answers.append(text)
        return status, json.loads(text)

    def is_asked(self, at, method, path, body=None, task=None, **headers):
        """What people ask for at a moment of the story; `{task}` in the path is the task that they mean."""
        self.asked_for.append((at, method, path, body, headers))
        return self.ask(method, path.format(task=task), body, **headers)

    def schedule(self, machine):
        """The schedule that starts a machine."""
        scheduler = self.cloud.client("scheduler")
        found = [scheduler.get_schedule(Name=one["Name"], GroupName=one["GroupName"]) for one in scheduler.list_schedules()["Schedules"]]
        mine, = [one for one in found if one["Target"]["Arn"] == self.physical[machine]]
        return mine

    def start(self, machine, name):
        """Starts a machine as its schedule does, with the input that the schedule has."""
        target = self.schedule(machine)["Target"]
        states = self.cloud.client("stepfunctions")
        return states.start_execution(stateMachineArn=target["Arn"], name=name, input=target["Input"])["executionArn"]

    def executions(self, machine, status=None):
        """Executions of a machine, the oldest first."""
        pages = self.cloud.client("stepfunctions").get_paginator("list_executions")
        given = {"statusFilter": status} if status else {}
        pages = pages.paginate(stateMachineArn=self.physical[machine], **given)
        found = [execution for page in pages for execution in page["executions"]]
        return sorted(found, key=lambda execution: execution["startDate"])

    def history(self, arn):
        """Every event of an execution."""
        pages = self.cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def table(self):
        """Every item of the task store."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs["TaskStoreName"])
        return [item for page in pages for item in page["Items"]]

    def partition(self, key):
        """Bodies of one partition, in order of their sort keys."""
        pages = self.cloud.client("dynamodb").get_paginator("query").paginate(
            TableName=self.outputs["TaskStoreName"], KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": key}}, ConsistentRead=True,
        )
        return [json.loads(item["body"]["S"]) for page in pages for item in page["Items"]]

    def record(self, key, sort):
        """One record, `None` where there is none."""
        found = self.cloud.client("dynamodb").get_item(
            TableName=self.outputs["TaskStoreName"], Key={"pk": {"S": key}, "sk": {"S": sort}}, ConsistentRead=True
        )
        return json.loads(found["Item"]["body"]["S"]) if "Item" in found else None

    def heads(self):
        return self.partition("databases#sales")

    def ended(self):
        """Tasks of ours that ended."""
        return self.partition("done#sales")

    def open_tasks(self):
        return self.partition("open#sales")


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
        self.log = folder / "serve.log"
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log.open("w"), text=True, env=stack.cloud.environment
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
