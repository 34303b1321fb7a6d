"""What happens in the story, act by act. Each ends when what it waits for can be read in the task store."""

import datetime
import json
import time

from cell import PATIENCE_S, by
from cloud import ACCOUNT, check
from faults import HANGING

POLICY = {
    "name": "daily",
    "objectives": {"window_days": 7, "rpo_minutes": {"damage": 10, "instance": 150}},
    "schedule": {"time_zone": "Etc/UTC", "full": {"days": ["sun"], "at": "01:00:00"}, "log_copy": {"every_minutes": 60}},
}
# Every so-manieth request: more than one function makes on its way, so that no function fails each time, and prime to the number of kinds.
TROUBLE_EVERY = 19


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
    states, arn = stack.cloud.client("stepfunctions"), stack.start("DiscoveryStateMachine", name)
    deadline = time.monotonic() + PATIENCE_S
    while (described := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        by(deadline, f"{name} is never done")
    check(f"discovery, {name}", described["status"], "SUCCEEDED", described)


def discovered(stack):
    status, told = stack.ask("GET", "/v1/instances/sales/discovered")
    assert status == 200, told
    return told


def set_secret(stack, secret_arn, secret):
    stack.cloud.client("secretsmanager").put_secret_value(SecretId=secret_arn, SecretString=json.dumps(secret))


def discovery(stack, heard, secret_arn, secret):
    """The instance is found by its tag; its databases once its secret opens it. People are told of the time between, once."""
    look(stack, "with-a-wrong-password")
    look(stack, "with-a-wrong-password-still")
    told = discovered(stack)
    check("the look failed twice and says why", (told["failures"], told["items"]), (2, []), told)
    about = heard.subjects(stack.outputs["NoticeTopicArn"])
    check("people are told once", about, ["bakproof: discovery of the databases of sales failed"])
    set_secret(stack, secret_arn, secret)
    look(stack, "with-the-right-password")
    told = discovered(stack)
    changes = {seen["name"]: seen["change"]["is"] for seen in told["items"]}
    check("both databases are new", (changes, told["failures"]), ({"orders": "new", "parts": "new"}, 0), told)
    check("and protected", sorted(head["name"] for head in stack.heads()), ["orders", "parts"])


def fleets(stack, story, until, what, numbers=iter(range(1_000_000))):
    """Starts the fleet every five minutes of the story, as the schedule does, until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        began = story.now()
        stack.start("FleetStateMachine", f"fleet-{next(numbers)}")
        while story.now() - began < datetime.timedelta(minutes=5):
            time.sleep(0.05)
        if until():
            print(f"ok  {what}, {story.now():%H:%M}", flush=True)
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"never: {what}\n{stack.heads()}\n{stack.partition('instance#sales')}")


def all_have(stack, *fields):
    heads = stack.heads()
    return bool(heads) and all(head.get(field) for head in heads for field in fields)


def first_fulls(stack, story, trouble):
    """Nothing is as bad to repeat as a full: the base of what comes behind it."""
    with trouble.of(TROUBLE_EVERY, "done and hanging") as made:
        fleets(stack, story, lambda: all_have(stack, "last_full") and made(), "each database has its first full, in spite of trouble")
    print(f"ok  which was {made()}", flush=True)


def first_logs(stack, story):
    fleets(stack, story, lambda: all_have(stack, "log_tail"), "each has copied logs")


def differentials(stack, story, trouble):
    """People want differentials from the next full hour on: as late as it is by then, a policy that is there is changed by whoever has read it."""
    due = (story.now() + datetime.timedelta(minutes=80)).replace(minute=0, second=0, microsecond=0)
    differential = {"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "at": f"{due:%H:%M:%S}"}
    policy = {**POLICY, "schedule": {**POLICY["schedule"], "differential": differential}}
    status, told = stack.ask("GET", "/v1/policies/daily")
    check("the policy is read", status, 200, told)
    status, told = stack.is_asked(story.now(), "PUT", "/v1/policies/daily", policy, **{"if-match": stack.etag})
    check(f"differentials are wanted, {due:%H:%M}", status, 200, told)
    fleets(stack, story, lambda: story.now() >= due - datetime.timedelta(minutes=5), "they come near")
    with trouble.of(TROUBLE_EVERY, "hanging") as made:
        fleets(stack, story, lambda: all_have(stack, "last_differential") and made(), "each has a differential, in spite of trouble")
    print(f"ok  which was {made()}", flush=True)


def on_demand(stack, story):
    """A backup is asked for, and cancelled; the run carries both out."""
    path, key = "/v1/instances/sales/databases/orders/backups", {"idempotency-key": "one"}
    # One moment for both in the twin, which would have made the backup while requests are on their way here.
    at = story.now()
    status, told = stack.is_asked(at, "POST", path, {"kind": "full"}, **key)
    check("a backup on demand is accepted", status, 202, told)
    again = stack.ask("POST", path, {"kind": "full"}, **key)
    check("asked for again under the same key it is the same", (again[0], again[1]["task"]), (202, told["task"]))
    check("the caller is told that it becomes the base", "BecomesBase" in [note["name"] for note in told["notes"]], True, told)
    status, answer = stack.is_asked(at, "PUT", "/v1/instances/sales/tasks/{task}/cancel", task=told["task"])
    check("a cancel is accepted", (status, answer["outcome"]), (202, "requested"), answer)

    def is_cancelled():
        return [task["state"]["outcome"] for task in stack.ended() if task["key"] == told["task"]] == ["cancelled"]

    fleets(stack, story, is_cancelled, "the backup on demand has ended as cancelled")


def locked_out(stack, story, heard, secret_arn, wrong):
    """Somebody changes the password and not the secret: runs fail and give their leases back, and people are told."""
    def told():
        """Runs that failed, events of the bus, notices to people: how many so far."""
        kinds, alarms = heard.kinds(), heard.subjects(stack.outputs["AlarmTopicArn"])
        return [len(stack.executions("InstanceStateMachine", "FAILED")), kinds.count("Instance Trouble Began"), len(alarms)]

    before = told()
    set_secret(stack, secret_arn, wrong)
    fleets(
        stack, story, lambda: all(now > then for then, now in zip(before, told())), "a run that cannot log in fails, the bus is told and people are"
    )
    deadline = time.monotonic() + PATIENCE_S
    while stack.executions("InstanceStateMachine", "RUNNING") or stack.executions("FleetStateMachine", "RUNNING"):
        by(deadline, "runs that cannot log in never end")


def trouble_and_calm(stack, story, trouble):
    """An hour in which requests are turned down, fail, are lost or hang; then everything comes to its end."""
    until = story.now() + datetime.timedelta(hours=1)
    before = {head["name"]: head["log_tail"]["seq"] for head in stack.heads()}
    with trouble.of(TROUBLE_EVERY, *HANGING) as made:
        fleets(
            stack, story, lambda: story.now() > until and all(trouble.by_kind().values()) and len(trouble.services()) > 2,
            "an hour of trouble, until there was some of every kind and at three services",
        )
    print(f"ok  which was {made()}", flush=True)

    def is_calm():
        return not stack.open_tasks() and all(head["log_tail"]["seq"] >= before[head["name"]] + 12 for head in stack.heads())

    fleets(stack, story, is_calm, "in the calm the logs of that hour are copied, and nothing is open")
    print(f"ok  trouble was at {sorted(trouble.services())}", flush=True)


def looks(stack):
    """Names of the looks of the fleet, whatever became of them."""
    return {look["name"] for look in stack.executions("FleetStateMachine")}


def overdue(stack, but=frozenset()):
    """What the looks of the fleet but some told the alarm on missed promises: seconds, `None` where they could not find out."""
    states = stack.cloud.client("stepfunctions")
    arns = [look["executionArn"] for look in stack.executions("FleetStateMachine", "SUCCEEDED") if look["name"] not in but]
    return [json.loads(states.describe_execution(executionArn=arn)["output"]).get("rpo_overdue_seconds") for arn in arns]


def at_rest(stack):
    """No execution runs and no task is open: from here on nothing happens that is not asked for, however slow the machine is."""
    deadline, number = time.monotonic() + PATIENCE_S, 0
    machines = "FleetStateMachine", "InstanceStateMachine", "DiscoveryStateMachine"
    while True:
        by(deadline, "never at rest")
        if any(stack.executions(machine, "RUNNING") for machine in machines):
            continue
        if not stack.open_tasks():
            return print("ok  nothing runs and nothing is open", flush=True)
        number += 1
        stack.start("FleetStateMachine", f"rest-{number}")
