"""The RDS side, as its template makes it, against the policies that the RDS user guide publishes, statement by statement; and the bucket for
copied logs of the stack against what the guide asks of it.

The published text knows no conditions; those that the template adds are named here, so that none comes or goes unseen.
"""

import pathlib
import sys

from cfnlint.decode import cfn_yaml

INFRA = pathlib.Path(__file__).parents[2] / "infra"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/key-id"
GIVEN = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "InstanceArns": ["arn:aws:rds:eu-west-1:123456789012:db:one", "arn:aws:rds:eu-west-1:123456789012:db:two"],
    "LogCopyBucket.Arn": "arn:aws:s3:::logs",
    "OptionGroupName": "bakproof",
    "VaultBucketName": "bucket_name",
}
GONE = object()


def allow(actions, resource):
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


# Amazon RDS User Guide, "Manually Creating an IAM Role for Native Backup and Restore".
KMS = allow(["kms:DescribeKey", "kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt"], KEY)
S3 = [
    (["s3:ListBucket", "s3:GetBucketLocation"], ""),
    (["s3:GetObject", "s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"], "/*"),
    # Since August 2022, as the guide of then has it.
    ("s3:GetObjectAttributes", "/*"),
]


def s3(*buckets):
    """The statements on S3, which the guide publishes for one bucket."""
    return [allow(actions, [f"arn:aws:s3:::{bucket}{part}" for bucket in buckets]) for actions, part in S3]


TRUST = [{"Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}, "Action": "sts:AssumeRole"}]
TRUST_CONDITION = {
    "StringEquals": {
        "aws:SourceAccount": "123456789012",
        "aws:SourceArn": [*GIVEN["InstanceArns"], "arn:aws:rds:eu-west-1:123456789012:og:bakproof"],
    }
}


def substituted(text, given):
    for name, value in given.items():
        if isinstance(value, str):
            text = text.replace("${" + name + "}", value)
    assert "${" not in text, f"nothing is given for {text}"
    return text


def resolved(value, given):
    """The value that CloudFormation computes, for the functions that the policies use."""
    if isinstance(value, list):
        return [one for one in (resolved(item, given) for item in value) if one is not GONE]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (function, argument), = value.items()
        if function == "Ref":
            return GONE if argument == "AWS::NoValue" else given[argument]
        if function == "Fn::GetAtt":
            return given[argument if isinstance(argument, str) else ".".join(argument)]
        if function == "Fn::Sub":
            return substituted(argument, given)
        if function == "Fn::If":
            met = {"HasKey": given["KeyArn"], "HasLogCopyBucket": given["LogCopyBucketName"]}
            return resolved(argument[1] if met[argument[0]] else argument[2], given)
        if function == "Fn::Join":
            return argument[0].join(resolved(argument[1], given))
        if function == "Fn::Split":
            return resolved(argument[1], given).split(argument[0])
        assert not function.startswith("Fn::"), f"{function} is not known here"
    return {name: resolved(item, given) for name, item in value.items()}


def same(what, found, expected):
    assert found == expected, f"{what}\nfound    {found}\nexpected {expected}"
    print(f"{what}: {len(expected)} equal")


def main():
    role = cfn_yaml.load(str(INFRA / "rds-side.yaml"))["Resources"]["BackupRole"]["Properties"]
    one, both = s3("bucket_name"), s3("bucket_name", "logs")
    for name, key, logs, expected in [
        ("permissions without a key", "", "", one),
        ("permissions with a key", KEY, "", [KMS, *one]),
        ("permissions with a bucket for copied logs", KEY, "logs", [KMS, *both]),
    ]:
        policy, = resolved(role["Policies"], {**GIVEN, "KeyArn": key, "LogCopyBucketName": logs})
        same(name, policy["PolicyDocument"], {"Version": "2012-10-17", "Statement": expected})
    trust = resolved(role["AssumeRolePolicyDocument"], GIVEN)["Statement"]
    conditions = [statement.pop("Condition") for statement in trust]
    same("trust", trust, TRUST)
    same("trust, its condition", conditions, [TRUST_CONDITION])
    resources = cfn_yaml.load(str(INFRA / "template.yaml"))["Resources"]
    logs = resources["LogCopyBucket"]["Properties"]
    encryption, = logs["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    same("log copies, no SSE-KMS", encryption["ServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
    same("log copies, ownership", logs["OwnershipControls"]["Rules"], [{"ObjectOwnership": "BucketOwnerPreferred"}])
    writes = resolved(resources["LogCopyBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0], GIVEN)
    same("log copies, who writes", writes["Principal"], {"Service": "backups.rds.amazonaws.com"})
    same("log copies, what", [writes["Action"], writes["Resource"]], ["s3:PutObject", "arn:aws:s3:::logs/*"])
    acl = writes["Condition"]["StringEquals"]["s3:x-amz-acl"]
    same("log copies, control", [acl], ["bucket-owner-full-control"])


if __name__ == "__main__":
    sys.exit(main())
