"""The RDS side's stack on a local cloud, from the template itself: the role and the bucket are as the template says.

What ministack 1.5.33 can not create is listed and asserted, so that the list shrinks visibly.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.exceptions
from cfnlint.decode import cfn_yaml

import rds_side

REFUSED = ["AWS::RDS::OptionGroup"]
# Created, but not as the template says: ministack 1.5.33 drops the rule of ownership and answers S3's default.
OWNERSHIP = "BucketOwnerEnforced"
INSTANCE = "arn:aws:rds:eu-west-1:000000000000:db:one"
PARAMETERS = {"InstanceArns": INSTANCE, "VaultBucketName": "vault", "LogCopyBucketName": "logs"}


@contextlib.contextmanager
def cloud():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/log", "w", encoding="utf-8") as log:
        served = subprocess.Popen(["ministack"], cwd=folder, env=env, stdout=log, stderr=log)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert served.poll() is None, "ministack ended"
                time.sleep(0.1)
            session = boto3.Session("test", "test", region_name="eu-west-1")
            yield lambda service: session.client(service, endpoint_url=f"http://127.0.0.1:{port}")
        finally:
            served.terminate()
            served.wait()


def create(formation, template):
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()]
    formation.create_stack(
        StackName="rds", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"], Parameters=given
    )
    formation.get_waiter("stack_create_complete").wait(StackName="rds", WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def without_refused(template):
    template = json.loads(json.dumps(template))
    gone = [name for name, one in template["Resources"].items() if one["Type"] in REFUSED]
    for name in gone:
        del template["Resources"][name]
    template["Outputs"] = {k: v for k, v in template["Outputs"].items() if v["Value"].get("Ref") not in gone}
    return template


def main():
    template = cfn_yaml.load(str(rds_side.TEMPLATE))
    with cloud() as client:
        formation, s3, iam = client("cloudformation"), client("s3"), client("iam")
        try:
            create(formation, template)
            raise AssertionError("ministack creates all of it now: empty REFUSED")
        except botocore.exceptions.ClientError as refusal:
            assert str(REFUSED).replace("'", "") in str(refusal), refusal
        create(formation, without_refused(template))
        stack, = formation.describe_stacks(StackName="rds")["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        role = iam.get_role(RoleName=outputs["BackupRoleArn"].split("/")[-1])["Role"]
        condition = role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]
        group = "arn:aws:rds:eu-west-1:000000000000:og:bakproof"
        rds_side.same("instances and group in the trust", condition["aws:SourceArn"], [INSTANCE, group])
        policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="native-backup-and-restore")["PolicyDocument"]
        resources = [statement["Resource"] for statement in policy["Statement"]]
        rds_side.same("resources of the role", resources, ["arn:aws:s3:::vault", "arn:aws:s3:::vault/*"])
        statements = json.loads(s3.get_bucket_policy(Bucket="logs")["Policy"])["Statement"]
        rds_side.same("bucket policy", [s["Effect"] for s in statements], ["Allow", "Deny"])
        rds_side.same("versions are kept", [s3.get_bucket_versioning(Bucket="logs")["Status"]], ["Enabled"])
        owner = s3.get_bucket_ownership_controls(Bucket="logs")["OwnershipControls"]["Rules"][0]["ObjectOwnership"]
        rds_side.same("what ministack makes of the ownership", [owner], [OWNERSHIP])


if __name__ == "__main__":
    sys.exit(main())
