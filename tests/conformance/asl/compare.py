#!/usr/bin/env python3
"""Do our interpreter and ministack agree on the cases beside this file?

Both run every case of cases/*.json: ours through `cargo run -p asl --example trace`, ministack as a server on a free
loopback port, with each scripted function as a real Lambda function. Compared are the outcome, every call with its
payload, and each state of the main strand with its input and output (ministack lists no states inside Map and Parallel).
Causes are compared for function failures only: engines word their own errors differently.

Exit 1 on a difference that the case does not list under `known_gaps`, and on a listed gap that no longer occurs.

usage: compare.py [BIN-FOLDER-OF-A-VENV-WITH-MINISTACK]     (or BAKPROOF_VENV=that folder, or the venv that runs this)
"""

import base64
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ENGINE = "ministack"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
ROLE = "arn:aws:iam::000000000000:role/any"
CASE_SECONDS = 20

# The scripted function, a custom runtime: answers in turn, the last answer repeats, and every call is noted. Not the
# server's own Python runtime: that reports every failure as `Runtime.HandlerError`, so no machine could catch by name.
BOOTSTRAP = '''#!{python}
import json, os, pathlib, time, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
folder, name = pathlib.Path(os.environ["SCRIPT_FOLDER"]), os.environ["SCRIPT_NAME"]

def post(path, value):
    request = urllib.request.Request(base + path, data=json.dumps(value).encode())
    urllib.request.urlopen(request).read()

def serve():
    with urllib.request.urlopen(base + "next") as response:
        invocation = response.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.loads(response.read())
    replies = json.loads((folder / (name + ".replies")).read_text())
    counter = folder / (name + ".count")
    turn = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(turn + 1))
    with open(folder / "calls", "a") as calls:
        calls.write(json.dumps([name, event]) + "\\n")
    reply = replies[min(turn, len(replies) - 1)]
    answer = reply["answer"]
    time.sleep(reply.get("after_seconds", 0))
    if answer == "echo":
        post(invocation + "/response", event)
    elif "return" in answer:
        post(invocation + "/response", answer["return"])
    elif "return_chars" in answer:
        post(invocation + "/response", "x" * answer["return_chars"])
    else:
        error_type, message = answer["throw"]
        post(invocation + "/error", {{"errorType": error_type, "errorMessage": message}})

while True:
    serve()
'''


class Server:
    """ministack on a free loopback port, gone when the block ends."""

    def __init__(self, command, folder):
        self.command, self.folder = command, folder

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        keep = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH") if key in os.environ}
        environment = {
            **keep,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "SFN_WAIT_SCALE": "0",
        }
        self.log = open(self.folder / "server.log", "w")
        self.process = subprocess.Popen([self.command], env=environment, cwd=self.folder, stdout=self.log, stderr=self.log)
        for _ in range(150):
            try:
                self.states("ListStateMachines")
                return self
            except (OSError, urllib.error.URLError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.__exit__()
        sys.exit(f"{ENGINE} did not start:\n" + (self.folder / "server.log").read_text()[-2000:])

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def request(self, path, body, service, headers):
        # An unsigned request in the shape of a signed one: local servers read the service and Region only.
        scope = f"test/20260101/us-east-1/{service}/aws4_request"
        auth = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": auth, "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path} {headers}: {error.code} {error.read().decode()}") from None

    def states(self, action, **body):
        headers = {"X-Amz-Target": f"AWSStepFunctions.{action}", "Content-Type": "application/x-amz-json-1.0"}
        return self.request("/", body, "states", headers)

    def create_function(self, name, environment):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            bootstrap = zipfile.ZipInfo("bootstrap")
            bootstrap.external_attr = 0o755 << 16
            archive.writestr(bootstrap, BOOTSTRAP.format(python=sys.executable))
        body = {
            "FunctionName": name,
            "Runtime": "provided.al2023",
            "Role": ROLE,
            "Handler": "bootstrap",
            "Timeout": 30,
            "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()},
            "Environment": {"Variables": environment},
        }
        self.request("/2015-03-31/functions", body, "lambda", {})


def ministack_trace(server, case, folder):
    """Runs one case on the server and gives what is compared."""
    folder.mkdir()
    definition = json.dumps(case["definition"])
    for name, replies in case.get("functions", {}).items():
        (folder / f"{name}.replies").write_text(json.dumps(replies))
        unique = f"{case['name']}--{name}"
        definition = definition.replace(f'"{ARN}{name}"', f'"{ARN}{unique}"')
        server.create_function(unique, {"SCRIPT_FOLDER": str(folder), "SCRIPT_NAME": name})
    machine = server.states("CreateStateMachine", name=case["name"], definition=definition, roleArn=ROLE)
    execution = server.states(
        "StartExecution", stateMachineArn=machine["stateMachineArn"], name="run", input=json.dumps(case["input"])
    )["executionArn"]
    deadline = time.monotonic() + CASE_SECONDS
    while True:
        described = server.states("DescribeExecution", executionArn=execution)
        if described["status"] != "RUNNING" or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    history = server.states("GetExecutionHistory", executionArn=execution, maxResults=1000)["events"]
    calls = folder / "calls"
    return {
        "states": main_states(history),
        "calls": [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else [],
        "outcome": outcome(described["status"], described.get("output"), described.get("error"), described.get("cause")),
    }


def main_states(history):
    visits = []
    for event in history:
        entered, exited = event.get("stateEnteredEventDetails"), event.get("stateExitedEventDetails")
        if entered:
            visits.append([entered["name"], json.loads(entered["input"]), None])
        if exited:
            visits[-1][2] = json.loads(exited["output"])
    return visits


def outcome(status, output, error, cause):
    if status == "SUCCEEDED":
        return {"status": status, "output": json.loads(output)}
    if status == "FAILED":
        own = (error or "").startswith("States.")
        return {"status": status, "error": error or "", "cause": None if own else readable(cause or "")}
    return {"status": status}


def readable(cause):
    """A function's error document without what only one engine adds (request ids, stack traces)."""
    try:
        document = json.loads(cause)
        return {key: document[key] for key in ("errorType", "errorMessage")}
    except (ValueError, TypeError, KeyError):
        return cause


def strip_causes(value):
    """Error outputs keep of their cause what engines share: a function's document in its two fields."""
    if isinstance(value, dict):
        stripped = {key: strip_causes(item) for key, item in value.items()}
        if set(value) == {"Error", "Cause"}:
            stripped["Cause"] = None if value["Error"].startswith("States.") else readable(value["Cause"])
        return stripped
    if isinstance(value, list):
        return [strip_causes(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def our_traces(paths):
    command = ["cargo", "run", "--quiet", "--locked", "-p", "asl", "--example", "trace", "--", *map(str, paths)]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    traces = {}
    for line in out.splitlines():
        found = json.loads(line)
        if "refused" in found:
            sys.exit(f"our interpreter refuses {found['case']}:\n{found['refused']}")
        trace = found["trace"]
        end = trace["outcome"]
        text = json.dumps(end["output"]) if "output" in end else "null"
        traces[found["case"]] = {
            "states": [[s["name"], s["input"], s["output"]] for s in trace["states"] if s["strand"] == 0],
            "calls": [[c["function"], c["payload"]] for c in trace["calls"]],
            "visited": [s["name"] for s in trace["states"]],
            "outcome": outcome(end["status"], text, end.get("error"), end.get("cause")),
        }
    return traces


def differences(ours, theirs):
    ours, theirs = strip_causes(ours), strip_causes(theirs)
    return [f"{key}: ours {json.dumps(ours[key])}, {ENGINE} {json.dumps(theirs[key])}" for key in theirs if ours[key] != theirs[key]]


def find_command():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BAKPROOF_VENV") or str(pathlib.Path(sys.executable).parent)
    for place in (folder, str(pathlib.Path(folder) / "bin")):
        command = shutil.which(ENGINE, path=place)
        if command:
            return str(pathlib.Path(command).resolve())
    sys.exit(f"no `{ENGINE}` under {folder}: pip install ministack into a venv, and name its bin folder")


def main():
    command = find_command()
    paths = sorted((HERE / "cases").glob("*.json"))
    cases = [json.loads(path.read_text()) for path in paths]
    ours = our_traces(paths)
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with Server(command, folder) as server:
            for case in cases:
                name, gap = case["name"], case.get("known_gaps", {}).get(ENGINE)
                theirs = ministack_trace(server, case, folder / name)
                found = differences(ours[name], theirs)
                verdict = "equal" if not found else f"known gap: {gap}" if gap else "DIFFERENT"
                if gap and not found:
                    verdict = f"GAP IS GONE: {gap}"
                if bool(found) != bool(gap):
                    failures.append(name)
                way = " > ".join(f"{state}={short(output)}" for state, _, output in ours[name]["states"])
                print(f"{name:24} {verdict:60.60} {way}")
                if found and not gap:
                    print("".join(f"    {line}\n" for line in found), end="")
    print(f"{len(cases)} cases, {len(failures)} not as expected" + (": " + ", ".join(failures) if failures else ""))
    return 1 if failures else 0


def short(value):
    text = json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 40 else text[:37] + "..."


if __name__ == "__main__":
    sys.exit(main())
