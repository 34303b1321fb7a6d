"""Does our interpreter go the way that another engine went? What was answered there is answered to the same machine here.

Every execution that came to an end of its own is replayed, failed ones too, with the answers and errors of each of its tasks, those inside a Map
among them. Compared are the states of the main strand with inputs and outputs, the order of all calls, and the end. ministack's history lists no
states inside a Map, and no payloads of its calls: of those the order of calls is compared, and what our interpreter starts with what was started.
A Map of several items would mix its calls; the story has one instance.
"""

import json
import pathlib
import re
import sys

from cell import MACHINES
from cloud import check

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance" / "asl"))

import compare


def called(history):
    """Each call of an execution in order, `[function, answer]` as a script has them."""
    calls = []
    for event in history:
        if scheduled := event.get("taskScheduledEventDetails"):
            calls.append([scheduled["resource"].rpartition(":")[2], None])
        elif succeeded := event.get("taskSucceededEventDetails"):
            calls[-1][1] = {"return": json.loads(succeeded["output"])}
        elif failed := event.get("taskFailedEventDetails"):
            cause = compare.readable(failed["cause"])
            words = cause["errorMessage"] if isinstance(cause, dict) else cause
            calls[-1][1] = {"throw": [failed["error"], words]}
    return calls


def case(name, definition, execution, calls):
    """An execution as a case of the interpreter's conformance suite."""
    functions = {}
    for function, answer in calls:
        functions.setdefault(function, []).append({"answer": answer})
    for function in set(re.findall(r'"Resource": ?"arn:aws:lambda:[^"]*:([^":]+)"', definition)):
        definition = re.sub(rf'"arn:aws:lambda:[^"]*:{function}"', f'"{compare.ARN}{function}"', definition)
        functions.setdefault(function, [{"answer": {"return": {}}}])
    functions.setdefault("startExecution", [{"answer": {"return": {}}}])
    return {
        "name": name, "why": "a run of the deployed machine", "definition": json.loads(definition),
        "input": json.loads(execution["input"]), "functions": functions,
    }


def replayed(folder, definition, runs):
    """Runs are (execution, history). Names of the states that each went through here, where the ways part, and what our interpreter starts:
    inputs by name."""
    paths, theirs = [], {}
    for number, (execution, history) in enumerate(runs):
        name, calls = f"run-{number}", called(history)
        assert all(answer for _, answer in calls), (execution, calls)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(case(name, definition, execution, calls)))
        paths.append(path)
        theirs[name] = {
            "states": compare.main_states(history), "order": [function for function, _ in calls],
            "outcome": compare.outcome(execution["status"], execution.get("output"), execution.get("error"), execution.get("cause")),
        }
    ours = compare.our_traces(paths)
    parted = []
    for name, run in theirs.items():
        here = {**ours[name], "order": [function for function, _ in ours[name]["calls"]]}
        parted += [f"{name}: {line}" for line in compare.differences(here, run)]
    calls = [payload for trace in ours.values() for function, payload in trace["calls"] if function == "startExecution"]
    return [trace["visited"] for trace in ours.values()], parted, {call["Name"]: call["Input"] for call in calls}


def what_the_engines_say(stack, folder, aborted):
    """The deployed machines in the engine of ministack and in our interpreter: the same states, errors and ends, and the same runs started."""
    states, begun, started, been = stack.cloud.client("stepfunctions"), {}, {}, set()
    for machine in MACHINES:
        definition = states.describe_state_machine(stateMachineArn=stack.physical[machine])["definition"]
        runs = []
        for execution in stack.executions(machine):
            described = states.describe_execution(executionArn=execution["executionArn"])
            if machine == "InstanceStateMachine":
                begun[execution["name"]] = json.loads(described["input"])
            if execution["executionArn"] in aborted:
                assert described["status"] == "ABORTED", described
                continue
            runs.append((described, stack.history(execution["executionArn"])))
        visited, parted, starts = replayed(folder, definition, runs)
        been |= {state for run in visited for state in run}
        ends = {status: sum(1 for described, _ in runs if described["status"] == status) for status in ("SUCCEEDED", "FAILED")}
        check(f"{machine}: all {len(runs)} runs but those aborted came to an end of their own: {ends}", sum(ends.values()), len(runs))
        check(f"they took the same way through {sum(map(len, visited))} states in both engines", parted, [])
        if machine == "FleetStateMachine":
            started = starts
    caught = "ReleaseAfterTrouble", "RunFailed", "Discover", "TellOfFailure", "NotDiscovered", "Discovered"
    check(f"among them {', '.join(caught)}", set(caught) - been, set())
    # The API, events and runs that hand over start some as well.
    there = {name: begun.get(name) for name in started}
    check(f"and the Map of the fleet started the same {len(started)} runs", (there, len(started) > 3), (started, True))
