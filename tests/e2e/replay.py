"""Does our interpreter go the way that another engine went? What functions answered there is answered to the same machine here."""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance" / "asl"))

import compare


def answer_of(state, output):
    """What a function answered, read from what its state made of it: `$.progress` is in the field `progress`."""
    path = state.get("ResultPath", "$")
    assert re.fullmatch(r"\$(\.\w+)*", path), f"a result at {path} is not looked for here"
    for field in path.split(".")[1:]:
        output = output[field]
    return output


def case(name, definition, execution, history):
    """An execution as a case of the interpreter's conformance suite."""
    machine = json.loads(definition)
    functions = {}
    for state, _, output in compare.main_states(history):
        described = machine["States"][state]
        if described["Type"] == "Task":
            function = described["Resource"].rpartition(":")[2]
            functions.setdefault(function, []).append({"answer": {"return": answer_of(described, output)}})
    for function in set(re.findall(r'"Resource": ?"arn:aws:lambda:[^"]*:([^":]+)"', definition)):
        definition = re.sub(rf'"arn:aws:lambda:[^"]*:{function}"', f'"{compare.ARN}{function}"', definition)
        functions.setdefault(function, [{"answer": {"return": {}}}])
    # Executions that are started inside a Map are not in the history: every start is answered.
    started = {"ExecutionArn": "arn:aws:states:us-east-1:000000000000:execution:instance:run", "StartDate": "2026-01-01T00:00:00Z"}
    functions.setdefault("startExecution", [{"answer": {"return": started}}])
    return {
        "name": name, "why": "a run of the deployed machine", "definition": json.loads(definition),
        "input": json.loads(execution["input"]), "functions": functions,
    }


def replayed(folder, definition, runs):
    """Runs are (execution, history). How many states they went through, where the ways part, and what our interpreter starts: inputs by name."""
    paths, theirs = [], {}
    for number, (execution, history) in enumerate(runs):
        name = f"run-{number}"
        path = folder / f"{name}.json"
        path.write_text(json.dumps(case(name, definition, execution, history)))
        paths.append(path)
        theirs[name] = {
            "states": compare.main_states(history),
            "outcome": compare.outcome(execution["status"], execution.get("output"), execution.get("error"), execution.get("cause")),
        }
    ours = compare.our_traces(paths)
    parted = []
    for name, run in theirs.items():
        here = {key: ours[name][key] for key in run}
        parted += [f"{name}: {line}" for line in compare.differences(here, run)]
    calls = [payload for trace in ours.values() for function, payload in trace["calls"] if function == "startExecution"]
    started = {call["Name"]: call["Input"] for call in calls}
    return sum(len(run["states"]) for run in theirs.values()), parted, started
