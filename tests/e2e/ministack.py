#!/usr/bin/env python3
"""The contracts of task store, objects and notices, and the instance machine with only validate-region deployed, on a local cloud.

The function's real binary runs behind ministack's Runtime API, the machine is the file that is deployed, and the records are written by
the production adapter. The other functions of the machine are answered from a table of canned answers (Step Functions Local's mock format).

Usage: VENV/bin/python3 tests/e2e/ministack.py [--function BINARY --seed BINARY --contract BINARY]
The environment needs `ministack` and nothing else (it brings botocore); binaries that are not named are built. Exit 0 when
every check held.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from cloud import ACCOUNT, REGION, REPOSITORY, Cloud, check, function_zip, rds_front

ELSEWHERE, TABLE = "us-east-1", "bakproof"
MOCKED = ["RunLease", "PlanBackups", "CheckChains", "DispatchTasks", "PollTasks"]
RUN_SECONDS_MAX = 60

# Answers of the functions that are not deployed, state by state, call by call.
ANSWERS = {
    "TakeLease": [{"outcome": "taken", "round": 0}],
    "PlanBackups": [{"outcome": "work", "planned": 1, "open": 1, "next_due_at": "2100-01-01T00:00:00Z"}],
    "CheckChains": [{"admitted": 1, "skipped": 0, "promoted": 0, "held": 0}] * 2,
    "DispatchTasks": [{"dispatched": 1, "wait_seconds": 120}, {"dispatched": 0, "wait_seconds": 120}],
    "PollTasks": [
        {"outcome": "again", "round": 1, "finished": 0, "outstanding": 1},
        {"outcome": "drained", "round": 2, "finished": 1, "outstanding": 0},
    ],
    "ReleaseLease": [{"outcome": "released", "round": 2}],
    "ReleaseAfterTrouble": [{"outcome": "released", "round": 0}],
}
# Subject, and bytes of the text, of the notices of `tests/conformance/notify/suite.rs` as they arrive.
NOTICES = [
    ("Backup failed", 15), ("two lines of it", 13), ("\u00e4" * 99, 1), ("", 10), ("full", 262_144), ("cut", 87_379 * 3 + 6), ("bell", 5),
]
ROUND = ["CheckChains", "DispatchTasks", "WaitForTasks", "PollTasks", "HowToGoOn"]
BEGIN = ["TakeLease", "IsLeaseTaken", "ValidateRegion"]
GOOD_RUN = [*BEGIN, "PlanBackups", "IsThereWork", *ROUND, *ROUND, "ReleaseLease", "IsLeaseReleased", "Released"]
BAD_RUN = [*BEGIN, "ReleaseAfterTrouble", "RunFailed"]

def mock_config():
    responses = {
        state: {str(call): {"Return": answer} for call, answer in enumerate(answers)}
        for state, answers in ANSWERS.items()
    }
    cases = {"OnlyValidateRegion": {state: state for state in ANSWERS}}
    return {"StateMachines": {"instance": {"TestCases": cases}}, "MockedResponses": responses}


def records(instance, bucket, key_arn):
    """One instance with a vault of its own and the shared policy's copy, as the store holds them."""
    return {
        "instance": {
            "name": instance, "host": "127.0.0.1", "port": 1433, "policy": f"policy-{instance}",
            "vault": f"vault-{instance}", "secret_arn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{instance}",
            "facts": None, "bytes_per_second": None, "due_at": None, "trouble": None,
            "tasks_from": 0,
        },
        "policy": {
            "name": f"policy-{instance}",
            "objectives": {"window_days": 7, "rpo_minutes": {"damage": 10, "instance": 150}},
            "schedule": {
                "time_zone": "Etc/UTC", "full": {"days": ["sun"], "at": "01:00:00"}, "log_copy": {"every_minutes": 120},
            },
        },
        "vault": {
            "name": f"vault-{instance}", "bucket": bucket, "prefix": "prod", "account": ACCOUNT, "kms_key_arn": key_arn,
        },
    }


def deploy_function(cloud, binary, rds_url):
    """The function as a zip with `bootstrap`, in the environment that the template gives it."""
    answer = cloud.client("lambda").create_function(
        FunctionName="validate-region", Runtime="provided.al2023", Handler="bootstrap", Timeout=30, MemorySize=128,
        Role=f"arn:aws:iam::{ACCOUNT}:role/validate-region", Code={"ZipFile": function_zip(binary)},
        Environment={"Variables": {
            "BAKPROOF_TABLE": TABLE, "AWS_ENDPOINT_URL": cloud.url, "AWS_ENDPOINT_URL_RDS": rds_url,
        }},
    )
    return answer["FunctionArn"]


def deploy_machine(cloud, function_arn):
    """The machine's own file, with the ARNs that deployment fills in."""
    definition = (REPOSITORY / "statemachine" / "instance.asl.json").read_text()
    definition = definition.replace("${ValidateRegionFunctionArn}", function_arn)
    for name in MOCKED:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:not-deployed-{name}"
        definition = definition.replace(f"${{{name}FunctionArn}}", arn)
    assert "${" not in definition, "the machine calls a function that this test does not know"
    answer = cloud.client("stepfunctions").create_state_machine(
        name="instance", definition=definition, roleArn=f"arn:aws:iam::{ACCOUNT}:role/instance",
    )
    return answer["stateMachineArn"]


def run(cloud, machine_arn, instance, generation):
    """One execution to its end: its description and the states it visited."""
    states = cloud.client("stepfunctions")
    started = states.start_execution(
        stateMachineArn=f"{machine_arn}#OnlyValidateRegion", name=f"{instance}-{generation}",
        input=json.dumps({"schema": 1, "instance": instance, "generation": generation}),
    )
    deadline = time.monotonic() + RUN_SECONDS_MAX
    while True:
        execution = states.describe_execution(executionArn=started["executionArn"])
        if execution["status"] != "RUNNING":
            break
        assert time.monotonic() < deadline, f"execution of {instance} does not end"
        time.sleep(0.1)
    events = states.get_execution_history(executionArn=started["executionArn"], maxResults=1000)["events"]
    entered = [event["stateEnteredEventDetails"] for event in events if "stateEnteredEventDetails" in event]
    return execution, [state["name"] for state in entered]


def stored_instance(cloud, instance):
    key = {"pk": {"S": f"instance#{instance}"}, "sk": {"S": "instance"}}
    item = cloud.client("dynamodb").get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]
    return json.loads(item["body"]["S"]), int(item["version"]["N"])


def check_good_run(cloud, machine):
    execution, visited = run(cloud, machine, "sales", 1)
    check("a valid instance goes through the whole loop twice", visited, GOOD_RUN, execution.get("cause"))
    check("and its run succeeds", execution["status"], "SUCCEEDED")
    check("with what validate-region answered", json.loads(execution["output"])["region"], {"region": REGION})
    record, version = stored_instance(cloud, "sales")
    facts = record["facts"][1]
    check("validate-region stored the facts once", version, 2)
    check("as RDS told them", [facts["arn"], facts["backup_option"], facts["storage_encrypted"]],
          [f"arn:aws:rds:{REGION}:{ACCOUNT}:db:sales", "enabled", True])


def check_bad_run(cloud, machine, instance, generation, name, sentence):
    execution, visited = run(cloud, machine, instance, generation)
    check(f"{name} is caught and the lease given back", visited, BAD_RUN, execution.get("cause"))
    check("the run fails with the class", [execution["status"], execution.get("error")], ["FAILED", "Human"])
    message = json.loads(execution["cause"])["errorMessage"]
    check("and with the sentence", message.split("; ")[0], f"{name}: {sentence}")


def instance_machine_on_a_local_cloud_with_only_validate_region_deployed(cloud, function, seed):
    front = rds_front(cloud, {})
    kms = cloud.client("kms")
    key_arn = kms.create_key()["KeyMetadata"]["Arn"]
    here, there = f"vault-{REGION}", f"vault-{ELSEWHERE}"
    cloud.client("s3").create_bucket(Bucket=here, CreateBucketConfiguration={"LocationConstraint": REGION})
    cloud.client("s3", ELSEWHERE).create_bucket(Bucket=there)
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    cloud.client("s3").put_bucket_ownership_controls(Bucket=here, OwnershipControls=controls)
    for instance, bucket in [("sales", here), ("ledger", there), ("ghost", f"{here}-missing")]:
        cloud.client("rds").create_db_instance(
            DBInstanceIdentifier=instance, DBInstanceClass="db.m6i.large", Engine="sqlserver-se", AllocatedStorage=200,
            MasterUsername="admin", MasterUserPassword="not-a-secret-1", StorageEncrypted=True, BackupRetentionPeriod=7,
        )
        text = json.dumps(records(instance, bucket, key_arn))
        subprocess.run([seed, TABLE], input=text, text=True, check=True, env=cloud.environment, timeout=60)
    machine = deploy_machine(cloud, deploy_function(cloud, function, f"http://127.0.0.1:{front.server_port}"))

    check_good_run(cloud, machine)
    check_bad_run(cloud, machine, "ledger", 1, "BucketInOtherRegion",
                  f"bucket {there} is in {ELSEWHERE}, instance ledger in {REGION}")
    check_bad_run(cloud, machine, "ghost", 1, "BucketNotFound", f"there is no bucket {here}-missing")
    check_bad_run(cloud, machine, "unknown", 1, "RecordMissing", "the store has no instance unknown")
    kms.disable_key(KeyId=key_arn)
    check_bad_run(cloud, machine, "sales", 2, "KeyDisabled", f"key {key_arn} cannot be used now")
    check("facts that are no news are not stored again", stored_instance(cloud, "sales")[1], 2)
    front.shutdown()


def the_task_store_keeps_its_contract(cloud, contract):
    """The cases that the store in memory and the DynamoDB in process pass too; each on a table of its own."""
    command = [contract, "on_an_endpoint", "--ignored", "--test-threads", "1"]
    done = subprocess.run(command, env=cloud.environment, timeout=300)
    check("the task store keeps its contract", done.returncode, 0)
    check("and leaves no table behind", cloud.client("dynamodb").list_tables()["TableNames"], [])


def objects_keep_their_contract(cloud, contract):
    """The cases that the world's S3 passes too, one after the other in a bucket that each creates and removes."""
    command = [contract, "--ignored", "--test-threads", "1"]
    done = subprocess.run(command, env=cloud.environment, timeout=300)
    check("objects keep their contract", done.returncode, 0)
    check("and leave no bucket behind", cloud.client("s3").list_buckets()["Buckets"], [])


def notices_keep_their_contract(cloud, contract):
    """What a subscriber gets of the notices of the suite, past the service's own limits on them."""
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name="notices-contract")["TopicArn"]
    queue = sqs.create_queue(QueueName="notices-contract")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    done = subprocess.run([contract, "--ignored", "--test-threads", "1"], env=cloud.environment, timeout=300)
    check("notices keep their contract", done.returncode, 0)
    arrived = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        arrived += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    arrived = sorted((notice.get("Subject") or "", len(notice["Message"].encode())) for notice in arrived)
    check("and arrive as they were made to fit", arrived, sorted(NOTICES))
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=queue)


def built():
    """Builds function and seed as they are now, in one command: two would build the SDK twice, with different features."""
    programs = ["--bin", "validate-region", "--example", "seed"]
    subprocess.run(["cargo", "build", "--locked", "-p", "aws", "-p", "lambdas", *programs], cwd=REPOSITORY, check=True)
    target = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
    contracts = [built_contract(name) for name in ("store", "objects", "notify")]
    return target / "validate-region", target / "examples" / "seed", *contracts


def built_contract(name):
    """Builds the tests of this name; says where cargo put them."""
    command = ["cargo", "test", "--locked", "-p", "aws", "-p", "lambdas", "--test", name, "--no-run"]
    told = subprocess.run([*command, "--message-format", "json"], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
    messages = [json.loads(line) for line in told.stdout.splitlines()]
    return next(
        pathlib.Path(message["executable"]) for message in messages
        if message.get("executable") and message["target"]["name"] == name
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--function", type=pathlib.Path, help="the binary validate-region")
    parser.add_argument("--seed", type=pathlib.Path, help="the example seed of the crate aws")
    parser.add_argument("--contract", type=pathlib.Path, help="the tests store of the crate aws")
    parser.add_argument("--objects", type=pathlib.Path, help="the tests objects of the crate aws")
    parser.add_argument("--notify", type=pathlib.Path, help="the tests notify of the crate aws")
    arguments = parser.parse_args()
    named = arguments.function, arguments.seed, arguments.contract, arguments.objects, arguments.notify
    function, seed, contract, objects, notify = (path.resolve(strict=True) for path in (named if all(named) else built()))
    with tempfile.TemporaryDirectory(prefix="bakproof-ministack-") as folder:
        folder = pathlib.Path(folder)
        mocks = folder / "mocks.json"
        mocks.write_text(json.dumps(mock_config()))
        services = "dynamodb,iam,kms,lambda,logs,rds,s3,secretsmanager,sns,sqs,states,sts"
        cloud = Cloud(folder, services, SFN_MOCK_CONFIG=str(mocks))
        try:
            cloud.wait()
            the_task_store_keeps_its_contract(cloud, contract)
            objects_keep_their_contract(cloud, objects)
            notices_keep_their_contract(cloud, notify)
            instance_machine_on_a_local_cloud_with_only_validate_region_deployed(cloud, function, seed)
        except BaseException:
            print(cloud.tail(), file=sys.stderr)
            raise
        finally:
            cloud.stop()


if __name__ == "__main__":
    main()
