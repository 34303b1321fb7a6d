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
    return {
        "name": name, "why": "a run of the deployed machine", "definition": json.loads(definition),
        "input": json.loads(execution["input"]), "functions": functions,
    }


def replayed(folder, definition, runs):
    """Runs are (execution, history). How many there were, how many states, and where the ways part."""
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
    return len(runs), sum(len(run["states"]) for run in theirs.values()), parted
