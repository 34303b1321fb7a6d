#!/usr/bin/env python3
"""The whole cell on a local cloud, made from the template itself: functions, machines, task store, buckets, and an instance to protect.

ministack translates `infra/template.yaml` and creates every resource of it. The functions' real binaries run behind its Runtime API, the
deployed machines are executed by its engine, the instance is `bakproof serve` over TLS, and its backups lie in the stack's own buckets.
Nobody enrols the instance: discovery finds it by its tag, cannot log in, tells people, and protects its databases once it can. A morning of the
story passes: first fulls, log copies, differentials; a backup on demand is asked of the API and cancelled; a run is aborted; the password is
wrong for a while, and RDS tells of a backup. First fulls, differentials and an hour behind them are troubled: every so-manieth request to AWS is
turned down, fails, is lost or hangs, or its answer. In the end what each of them knows is compared: the task store, the server's own list of
tasks and its history, the windows that the API, `bakproof window` and the same story in the simulator tell, the buckets, the roles and what was
asked for under them, the engine's histories and our own interpreter, and everything that was written down or told anywhere and the secrets that
must not be in it.

Changed for the test: code is where ministack finds it, for this machine's processor and without symbols; functions get the ways to ministack and
the authority of `bakproof serve` in their environment; and their clock is the story's (`clock.c`), so that a morning takes a minute.

Usage: VENV/bin/python3 tests/e2e/stack.py BIN-FOLDER BAKPROOF
BIN-FOLDER holds the functions' binaries and `examples/actions`. The environment needs `ministack[full]`, `pymssql`, a C compiler and `strip`. Exit 0
when every check held.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import acts
import doors
import held
import roles
from cell import HERE, SPEED, Stack, Story
from cloud import ACCOUNT, REGION, Cloud, check, rds_front
from faults import Trouble
from gateway import Gateway
from heard import Heard
from replay import what_the_engines_say
from said import what_was_said
from windows import compared

CANARY, WRONG = "canary-of-the-session-token", "canary-of-a-wrong-password"
SERVICES = (
    "apigateway,cloudformation,dynamodb,ec2,events,iam,kms,lambda,logs,monitoring,rds,s3,scheduler,secretsmanager,sns,sqs,states,sts"
)

DESCRIBED = """<DescribeDBInstancesResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeDBInstancesResult><DBInstances>
<DBInstance><DBInstanceIdentifier>sales</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:{region}:{account}:db:sales</DBInstanceArn>
<DBInstanceStatus>available</DBInstanceStatus><Engine>sqlserver-se</Engine><EngineVersion>16.00.4215.2.v1</EngineVersion>
<MultiAZ>false</MultiAZ><StorageEncrypted>false</StorageEncrypted><BackupRetentionPeriod>7</BackupRetentionPeriod>
<PreferredBackupWindow>23:00-23:30</PreferredBackupWindow>
<PreferredMaintenanceWindow>sun:04:30-sun:05:00</PreferredMaintenanceWindow>
<OptionGroupMemberships><OptionGroupMembership><OptionGroupName>bakproof</OptionGroupName><Status>in-sync</Status>
</OptionGroupMembership></OptionGroupMemberships><Endpoint><Address>{host}</Address><Port>{port}</Port></Endpoint>
<TagList><Tag><Key>backup</Key><Value>Gold</Value></Tag></TagList></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"""



def the_story(stack, story, trouble, heard, secret_arn, secret, wrong):
    """Act by act; executions that were aborted."""
    doors.the_endpoint(stack)
    acts.settings(stack, secret_arn)
    acts.discovery(stack, heard, secret_arn, secret)
    acts.first_fulls(stack, story, trouble)
    acts.first_logs(stack, story)
    acts.differentials(stack, story, trouble)
    troubled = acts.looks(stack)
    acts.on_demand(stack, story)
    aborted = doors.aborted(stack, story)
    acts.locked_out(stack, story, heard, secret_arn, wrong)
    acts.set_secret(stack, secret_arn, secret)
    doors.an_event(stack, story, heard)
    first, calm = acts.overdue(stack)[0], acts.overdue(stack, troubled)
    check("looks tell by how much a promise is missed, in the calm each does", (first in (0, None), None in calm), (True, False), (first, calm))
    acts.trouble_and_calm(stack, story, trouble)
    acts.fleets(stack, story, lambda: acts.overdue(stack)[-1] == 0, "no promise is missed any more")
    doors.looked_at_again(stack)
    doors.by_schedule(stack, "DiscoveryStateMachine", "a look")
    doors.by_schedule(stack, "FleetStateMachine", "the fleet")
    acts.at_rest(stack)
    return {aborted}


def main():
    binaries, bakproof = (pathlib.Path(argument).resolve(strict=True) for argument in sys.argv[1:])
    ports = json.loads(subprocess.run([binaries / "examples" / "actions"], check=True, stdout=subprocess.PIPE).stdout)
    with tempfile.TemporaryDirectory(prefix="bakproof-stack-") as name:
        folder = pathlib.Path(name)
        cloud, story = Cloud(folder, SERVICES, HERE / "rds_tells.py", SFN_WAIT_SCALE=str(1 / SPEED)), None
        try:
            cloud.wait()
            # The stack is told whose secret its functions may read; that it opens nothing yet is part of the story.
            secret_arn = cloud.client("secretsmanager").create_secret(Name="sales", SecretString="{}")["ARN"]
            stack = Stack(cloud, binaries, secret_arn)
            story = Story(bakproof, stack, folder)
            secret = {"username": story.instance["user"], "password": story.instance["password"]}
            wrong = {**secret, "password": WRONG}
            acts.set_secret(stack, secret_arn, wrong)
            ends = {"host": story.instance["host"], "port": story.instance["port"]}
            described = DESCRIBED.format(region=REGION, account=ACCOUNT, **ends)
            # One of the name, and the list of all.
            front = rds_front(cloud, {"sales": described, "": described})
            trouble = Trouble()
            rds_url = f"http://127.0.0.1:{front.server_port}"
            gateways = {logical: Gateway(cloud.url, rds_url, trouble) for logical in stack.functions()}
            # A token is a secret too; requests signed with it go through the gateways as they do on AWS.
            stack.set_environment(gateways, {"BAKPROOF_TRUST_BUNDLE": str(story.authority), "AWS_SESSION_TOKEN": CANARY, **story.clock()})
            heard = Heard(stack)
            aborted = the_story(stack, story, trouble, heard, secret_arn, secret, wrong)
            held.what_the_server_says(stack, story)
            held.what_the_buckets_hold(stack)
            compared(stack, story, bakproof, folder, ["orders", "parts"])
            roles.of_functions(stack, gateways, ports)
            roles.of_machines(stack)
            roles.of_invokers(stack)
            what_the_engines_say(stack, folder, aborted)
            secrets = {"the password": story.instance["password"], "a wrong one": WRONG, "the session token": CANARY}
            what_was_said(stack, story, heard, gateways, secrets)
        except BaseException:
            print(cloud.tail(), file=sys.stderr)
            raise
        finally:
            if story:
                story.stop()
            cloud.stop()


if __name__ == "__main__":
    main()
