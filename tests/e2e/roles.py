"""The roles of the template against what was asked under them, both ways, by action and resource.

Of functions it is their requests that say what is needed, as their gateways wrote them down; of machines and schedules their definitions and
targets. What a role allows and nobody asked for has a reason here, and a reason that is needed no more is an objection too. The comparison is
itself put to the test: without any statement that was needed, and with any that is wider than needed, it has to object.
"""

import fnmatch
import json
import re

import kinds
from cell import MACHINES
from cloud import ACCOUNT, REGION, check

# Allowed and not asked for in this story, by function and action: why.
UNUSED = {
    ("ValidateRegionFunction", "kms:DescribeKey"): "the instance's vault has no key",
    ("ObserveEventFunction", "rds:DescribeDBSnapshots"): "RDS told of no snapshot",
    ("ObserveEventFunction", "sqs:SendMessage"): "Lambda's to ask, when an invocation failed for the last time",
}
# Whoever has something to tell; that is not everybody in each story.
TELLS = "events:PutEvents"
# Policies of AWS that SAM attaches, for what Lambda and Step Functions ask for by themselves: logs, traces, network interfaces in a VPC.
MANAGED = {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess", "AWSLambdaVPCAccessExecutionRole"}
# What a statement of a parameter names that nobody gave: ministack takes a condition that joins a list for true.
NOBODY = ""
# Log delivery of Step Functions names no resource (developer guide, "Logging", read 2026-11).
LOG_DELIVERY = {
    (f"logs:{operation}", "*") for operation in (
        "CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies", "GetLogDelivery", "ListLogDeliveries",
        "PutResourcePolicy", "UpdateLogDelivery",
    )
}


def listed(value):
    return value if isinstance(value, list) else [value]


def allows(pattern, resource):
    """IAM's wildcards: `*` and `?`, and no others."""
    return fnmatch.fnmatchcase(resource, pattern.replace("[", "[[]"))


def is_allowed(allowed, action, resource):
    return any(allows(may, action) and allows(on, resource) for may, on in allowed)


def objections(allowed, asked, ports, excused):
    """What a role allows (actions with patterns of resources) against what was asked under it (actions with resources). An action that no
    request needed may belong to a port of which others were asked of the same resource; `excused` are actions that may rest."""
    said = [f"asks for {action} of {resource}" for action, resource in sorted(asked) if not is_allowed(allowed, action, resource)]
    for action, pattern in sorted(allowed):
        of_it = {one for one, resource in asked if allows(pattern, resource)}
        ports_of_it = {other for actions in ports.values() if of_it & set(actions) for other in actions}
        if "*" in action or "?" in action:
            said.append(f"may do {action}, whatever that is")
        elif action not in of_it | ports_of_it and action not in excused:
            said.append(f"may do {action} on {pattern}, which nobody needs")
    rests = {action for action, pattern in allowed if not any(one == action and allows(pattern, on) for one, on in asked)}
    return said + [f"needs no reason to let {action} rest" for action in sorted(excused - {TELLS}) if action not in rests]


def is_put_to_the_test(allowed, asked, ports, excused):
    """Statements whose loss goes unseen, and wider ones that do."""
    unseen = []
    for action, pattern in sorted(allowed):
        if any(one == action and allows(pattern, on) for one, on in asked) and not objections(allowed - {(action, pattern)}, asked, ports, excused):
            unseen.append(("lost", action, pattern))
    for wider in [("dynamodb:Scan", "*"), ("s3:*", "*"), ("dynamodb:Query", "arn:aws:dynamodb:*:*:table/another")]:
        if not objections(allowed | {wider}, asked, ports, excused):
            unseen.append(("wider", *wider))
    return unseen


class Roles:
    """Roles as they are deployed."""

    def __init__(self, stack):
        self.stack, self.iam = stack, stack.cloud.client("iam")

    def of(self, arn):
        """Actions with patterns of resources that the policies of a role allow; what AWS manages is known by name."""
        name, allowed = arn.rpartition("/")[2], set()
        for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            for statement in self.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]:
                resources = [on for on in listed(statement["Resource"]) if on != NOBODY]
                assert not resources or (statement["Effect"] == "Allow" and "Condition" not in statement), statement
                allowed |= {(action, on) for action in listed(statement["Action"]) for on in resources}
        return allowed

    def managed(self, arn):
        attached = self.iam.list_attached_role_policies(RoleName=arn.rpartition("/")[2])["AttachedPolicies"]
        return {policy["PolicyName"] for policy in attached}


def of_functions(stack, gateways, ports):
    check("a statement that allows nothing would be seen", kinds.is_put_to_the_test(), set())
    roles, functions = Roles(stack), stack.cloud.client("lambda")
    for logical, gateway in sorted(gateways.items()):
        described = functions.get_function_configuration(FunctionName=stack.functions()[logical])
        allowed, excused = roles.of(described["Role"]), {action for function, action in UNUSED if function == logical}
        has_bus = "BAKPROOF_EVENT_BUS" in described["Environment"]["Variables"]
        check(f"{logical} may tell the bus if it knows one", has_bus, any(action == TELLS for action, _ in allowed))
        excused |= {TELLS} if has_bus else set()
        said = objections(allowed, gateway.asked, ports, excused)
        check(f"{logical} asks for {len(gateway.asked)} and may do nothing else", said, [], sorted(gateway.asked))
        check(f"{logical}: AWS knows each of its actions on such a resource", kinds.objections(allowed), [])
        check(f"{logical}: and whatever its role lost or won would be seen", is_put_to_the_test(allowed, gateway.asked, ports, excused), [])
        check(f"{logical}: it has none of AWS's own policies but those", roles.managed(described["Role"]) - MANAGED, set())
    telling = [logical for logical, gateway in gateways.items() if any(action == TELLS for action, _ in gateway.asked)]
    check("what happened is told on the bus", {"PollTasksFunction", "ReportDiscoveryFunction"} <= set(telling), True, telling)


def needed_by(definition, own):
    """What a machine asks for, read from its definition."""
    needs = set()

    def read(value):
        if isinstance(value, list):
            for item in value:
                read(item)
        if not isinstance(value, dict):
            return
        resource = value.get("Resource", "") if value.get("Type") == "Task" else ""
        if resource == "arn:aws:states:::states:startExecution":
            given = value["Parameters"]
            assert given.get("StateMachineArn.$", "$$.StateMachine.Id") == "$$.StateMachine.Id", given
            needs.add(("states:StartExecution", given.get("StateMachineArn", own)))
        elif resource:
            assert re.fullmatch(r"arn:aws:lambda:[^:]+:\d+:function:[\w-]+", resource), resource
            needs.add(("lambda:InvokeFunction", resource))
        for item in value.values():
            read(item)

    read(definition)
    return needs


def of_machines(stack):
    roles, states = Roles(stack), stack.cloud.client("stepfunctions")
    for machine in MACHINES:
        described = states.describe_state_machine(stateMachineArn=stack.physical[machine])
        needs = needed_by(json.loads(described["definition"]), stack.physical[machine])
        allowed = roles.of(described["roleArn"])
        check(f"{machine} may do the {len(needs)} things that its definition asks for, and deliver logs", allowed, needs | LOG_DELIVERY)
        check(f"{machine}: AWS knows each of them on such a resource", kinds.objections(allowed), [])
        check(f"{machine}: of AWS's own policies it has those for traces", roles.managed(described["roleArn"]) - MANAGED, set())
    for machine in ("FleetStateMachine", "DiscoveryStateMachine"):
        target = stack.schedule(machine)["Target"]
        check(f"the schedule of {machine} may start it", roles.of(target["RoleArn"]) - lost_starts(stack), {("states:StartExecution", target["Arn"])})


def lost_starts(stack):
    """What a schedule may do with a start that reached nobody."""
    arn = stack.cloud.client("sqs").get_queue_attributes(QueueUrl=stack.physical["LostStarts"], AttributeNames=["QueueArn"])
    return {("sqs:SendMessage", arn["Attributes"]["QueueArn"])}


def of_invokers(stack):
    """Who may invoke functions beside the machines: each rule whose target is one, and the API."""
    events, functions, connected = stack.cloud.client("events"), stack.cloud.client("lambda"), {}
    for rule in events.list_rules()["Rules"]:
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            connected.setdefault(target["Arn"], set()).add(("events.amazonaws.com", rule["Arn"]))
    api = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{stack.physical['Api']}/*/*"
    for logical, name in sorted(stack.functions().items()):
        arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
        allowed = set()
        for statement in json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]:
            (condition,), = (found.values() for found in statement["Condition"].values())
            allowed.add((statement["Principal"]["Service"], condition))
        expected = {("apigateway.amazonaws.com", api)} if logical == "ApiFunction" else connected.get(arn, set())
        check(f"{logical} lets in the {len(expected)} that the template connects to it, beside whom a role allows", allowed, expected)
