"""Ways into the cell that nobody of us walks: the API's endpoint, the schedules, the bus of the account.

ministack invokes what the template connects. It verifies no signature (that there is one it does), repeats no event that its target failed on,
and its RDS tells nothing: events in the name of RDS come from here, by the door of `rds_tells.py`.
"""

import datetime
import json
import time

import acts
import said
from cell import PATIENCE_S, by
from cloud import ACCOUNT, REGION, check

FIELDS = "Name", "GroupName", "ScheduleExpression", "State", "FlexibleTimeWindow", "Target", "Description"


def the_endpoint(stack):
    """Whoever does not sign does not come in; whoever does is known by name."""
    status, told = stack.ask("GET", "/v1/policies", is_signed=False)
    check("the API lets nobody in who does not sign", (status, told), (403, {"message": "Forbidden"}))
    status, told = stack.ask("GET", "/openapi.json")
    check("and answers whoever does", (status, told["openapi"][:2]), (200, "3."), told)


def by_schedule(stack, machine, what):
    """The schedule of a machine starts it. Its rate is made as short as rates are until it has; it is set back then."""
    scheduler, deployed = stack.cloud.client("scheduler"), stack.schedule(machine)
    before = {execution["name"] for execution in stack.executions(machine)}
    given = {field: deployed[field] for field in FIELDS if field in deployed}
    scheduler.update_schedule(**{**given, "ScheduleExpression": "rate(1 minute)"})
    deadline = time.monotonic() + PATIENCE_S
    while not (started := [one for one in stack.executions(machine) if one["name"] not in before]):
        by(deadline, f"the schedule of {machine} never starts it")
    scheduler.update_schedule(**given)
    states = stack.cloud.client("stepfunctions")
    while (described := states.describe_execution(executionArn=started[0]["executionArn"]))["status"] == "RUNNING":
        by(deadline, f"what the schedule of {machine} started is never done")
    found = described["status"], json.loads(described["input"])
    check(f"the schedule starts {what}, with its own input", found, ("SUCCEEDED", json.loads(deployed["Target"]["Input"])), described)


def looked_at_again(stack):
    """The API starts a look."""
    before = {execution["name"] for execution in stack.executions("DiscoveryStateMachine")}
    status, told = stack.ask("POST", "/v1/discovery")
    check("a look is asked for", (status, told["is_new"]), (202, True), told)
    deadline = time.monotonic() + PATIENCE_S
    while not [one for one in stack.executions("DiscoveryStateMachine", "SUCCEEDED") if one["name"] not in before]:
        by(deadline, "nobody looked again")
    status, told = stack.ask("GET", "/v1/instances/sales/discovered")
    check("and nothing has changed", {seen["change"]["is"] for seen in told["items"]}, {"unchanged"}, told)


def moment(text):
    return datetime.datetime.fromisoformat(text[:19] + "+00:00")


def rds_event(instance):
    return {"EventCategories": ["backup"], "SourceType": "DB_INSTANCE", "SourceIdentifier": instance, "EventID": "RDS-EVENT-0002"}


def an_event(stack, story, heard):
    """RDS tells by the bus, in the midst of trouble that somebody has just mended: a run looks at once, and no fleet has to. Whoever hears of it
    again, or of an instance that nobody enrolled, has nothing to do."""
    before = {execution["name"] for execution in stack.executions("InstanceStateMachine")}
    found = stack.record("instance#sales", "marks"), stack.record("instance#sales", "lease")["holder"]
    check("nothing is known of automated backups, and no run is at work", found, (None, None))
    ended = heard.kinds().count("Instance Trouble Ended")
    put = stack.cloud.client("events").put_events(Entries=[{
        "Source": "aws.rds", "DetailType": "RDS DB Instance Event", "Detail": json.dumps(rds_event("sales")), "Time": story.now(),
        "Resources": [f"arn:aws:rds:{REGION}:{ACCOUNT}:db:sales"],
    }])
    check("an event in the name of RDS is put on the bus", put["FailedEntryCount"], 0, put)
    deadline = time.monotonic() + PATIENCE_S
    while not (marks := stack.record("instance#sales", "marks")):
        by(deadline, "no rule hands the event on")
    check("its rule has observe-event write it down", sorted(field for field, at in marks.items() if at and field.endswith("_at")), ["backed_up_at"])
    while heard.kinds().count("Instance Trouble Ended") == ended:
        by(deadline, "nobody sees that the trouble is over")
    woken = [execution["name"] for execution in stack.executions("InstanceStateMachine") if execution["name"] not in before]
    check("and wake a run, which ends the trouble", len(woken), 1, woken)

    def told(instance):
        event = {
            "version": "0", "id": "event", "detail-type": "RDS DB Instance Event", "source": "aws.rds", "account": ACCOUNT,
            "time": marks["backed_up_at"], "region": REGION, "resources": [f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{instance}"],
            "detail": rds_event(instance),
        }
        name = stack.functions()["ObserveEventFunction"]
        answer = stack.cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read()
        return json.loads(answer).get("outcome")

    check("told again it is known, and of others nothing is taken", [told("sales"), told("nobody")], ["known", "ignored"])
    status, listed = stack.ask("GET", "/v1/instances/sales/events")
    check("what happened can be asked for", (status, [one["message"] for one in listed["items"]]), (200, ["Finished DB Instance backup"]), listed)


def at_work(stack, task):
    """The run that holds the lease while a task is open, if there is one now, and the lease."""
    lease = stack.record("instance#sales", "lease")
    held = [execution for execution in stack.executions("InstanceStateMachine", "RUNNING") if execution["name"] == lease["holder"]]
    return (held[0], lease) if held and any(found["key"] == task for found in stack.open_tasks()) else None


def aborted(stack, story):
    """A run is aborted with a task in its hands: nobody waits until its lease has expired."""
    path, key = "/v1/instances/sales/databases/parts/backups", {"idempotency-key": "two"}
    status, told = stack.is_asked(story.now(), "POST", path, {"kind": "differential"}, **key)
    check("a differential on demand is accepted", status, 202, told)
    deadline = time.monotonic() + PATIENCE_S
    while not (found := at_work(stack, told["task"])):
        by(deadline, "no run is at work")
    execution, lease = found
    arn = execution["executionArn"]
    stack.cloud.client("stepfunctions").stop_execution(executionArn=arn, cause="somebody aborted it")
    while not (seen := [line for line in said.logged(stack) if '"observe-event"' in line and arn in line]):
        by(deadline, "no rule tells of an aborted run")
    check("its rule tells observe-event of an aborted run, which frees its lease", json.loads(seen[0])["outcome"], "freed", seen)
    after, instance = stack.record("instance#sales", "lease"), stack.record("instance#sales", "instance")
    found = after["holder"], after["generation"], instance["trouble"]["name"], moment(instance["due_at"]) <= story.now()
    check("and has the instance due at once", found, (None, lease["generation"], "RunAborted", True), (after, instance))

    def is_over():
        return not any(task["key"] == told["task"] for task in stack.open_tasks()) and not stack.record("instance#sales", "instance")["trouble"]

    acts.fleets(stack, story, is_over, "the next look of the fleet starts another, and the trouble is over")
    ends = [task["state"]["outcome"] for task in stack.ended() if task["key"] == told["task"]]
    check("which brings the task to its end", ends, ["succeeded"])
    return arn
