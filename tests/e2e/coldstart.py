#!/usr/bin/env python3
"""How long a function takes from the start of its process to its first response, and how much memory, beside one in Python.

A Runtime API on loopback starts the program, hands it one payload and takes its answer; the process is then killed and the next
one started. Two payloads:

  no call  a payload of another version, a path that is not there, an event of others: everything is built, nothing is asked
  GetItem  one read of DynamoDB, answered here by "no such item"; the Python function makes the same call with botocore

Times are wall clock and processor; memory is the peak of the resident set (VmHWM) when the answer has arrived. Limits that are
promised: 25 ms and 32 MiB, without a call. Usage: VENV/bin/python3 tests/e2e/coldstart.py FOLDER [--runs N] [--strict]
FOLDER holds the binaries, built with `--profile function`. Exit 1 with --strict when a function misses a limit, and always when one does not
answer as it has to.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MILLISECONDS_MAX, MEBIBYTES_MAX = 25.0, 32.0
RUN = {"schema": 1, "instance": "sales", "generation": 7}
STALE = {**RUN, "schema": 99, "action": "take", "round": 0}


def http(path):
    """A request as API Gateway hands it on (payload format 2.0)."""
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": {"accept": "application/json"},
        "requestContext": {
            "stage": "$default", "requestId": "request", "http": {"method": "GET", "path": path},
            "authorizer": {"iam": {"userArn": "arn:aws:iam::123456789012:user/operator"}},
        },
        "isBase64Encoded": False,
    }


def event(source):
    """An event as EventBridge hands it on; of an instance that nobody enrolled, where RDS tells it."""
    return {
        "version": "0", "id": "event", "detail-type": "RDS DB Instance Event", "source": source, "account": "123456789012",
        "time": "2026-11-16T03:12:00Z", "region": "eu-west-1", "resources": ["arn:aws:rds:eu-west-1:123456789012:db:nobody"],
        "detail": {"EventCategories": ["backup"], "SourceType": "DB_INSTANCE", "SourceIdentifier": "nobody", "EventID": "RDS-EVENT-0002"},
    }


# Functions that no machine invokes: payload that asks nothing, words of the answer.
OTHERS = {"api": (http("/nowhere"), "404"), "observe-event": (event("of.others"), "ignored")}
# Function, payload that makes it read one item first, words of its answer then.
CALLS = {
    "api": (http("/v1/policies/daily"), "404"),
    "observe-event": (event("aws.rds"), "ignored"),
    "run-lease": ({**RUN, "action": "release"}, "released"),
    "validate-region": (RUN, "RecordMissing"),
    "poll-tasks": ({**RUN, "round": 0}, "LeaseLost"),
}
# Every binary of the crate: one that nobody has a payload for answers with other words, and is told.
FUNCTIONS = sorted(path.stem for path in (pathlib.Path(__file__).parents[2] / "functions/lambdas/src/bin").glob("*.rs"))
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:"

# The function in Python: the loop of AWS's own runtime, without what it adds.
PYTHON = '''
import http.client, json, os
import botocore.session
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
dynamodb = botocore.session.Session().create_client("dynamodb")
base = "/2018-06-01/runtime/invocation"
while True:
    api.request("GET", base + "/next")
    event = api.getresponse()
    payload = json.loads(event.read())
    request = event.headers["lambda-runtime-aws-request-id"]
    answer = {"found": False}
    if payload["schema"] == 1:
        key = {"pk": {"S": "instance#" + payload["instance"]}, "sk": {"S": "instance"}}
        item = dynamodb.get_item(TableName=os.environ["BAKPROOF_TABLE"], Key=key, ConsistentRead=True)
        answer = {"found": "Item" in item}
    api.request("POST", f"{base}/{request}/response", json.dumps(answer))
    api.getresponse().read()
'''


class Answers(BaseHTTPRequestHandler):
    """Runtime API and DynamoDB. The answer of the function wakes whoever waits for it."""

    protocol_version = "HTTP/1.1"
    payload, answered, answer, answered_at, calls = b"", threading.Event(), b"", 0.0, 0

    def do_GET(self):
        if Answers.answered.is_set():
            time.sleep(60)  # The second `next` waits, as it does in Lambda.
        self.reply(Answers.payload, [
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
            ("lambda-runtime-deadline-ms", str(int((time.time() + 30) * 1000))),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:f"),
        ])

    def do_POST(self):
        now = time.perf_counter()
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/2018-06-01/runtime"):
            Answers.answer, Answers.answered_at = body, now
            Answers.answered.set()
            self.reply(b"")
        else:
            Answers.calls += 1
            assert self.headers["x-amz-target"] == "DynamoDB_20120810.GetItem", self.headers["x-amz-target"]
            self.reply(b"{}", [("content-type", "application/x-amz-json-1.0")])

    def reply(self, body, headers=()):
        self.send_response(200)
        for name, value in [*headers, ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Serves on threads; functions are killed in the middle of their next request."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def start(command, port, payload):
    """One cold start: milliseconds by the wall and of the processor, mebibytes, and the answer."""
    Answers.payload, Answers.calls = json.dumps(payload).encode(), 0
    Answers.answered.clear()
    api = f"127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": api, "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "a-test-key",
        "AWS_SESSION_TOKEN": "a-test-token", "BAKPROOF_TABLE": "bakproof", "AWS_ENDPOINT_URL": f"http://{api}",
        "BAKPROOF_EVENT_BUS": "events", "BAKPROOF_TOPIC": "arn:aws:sns:eu-west-1:123456789012:notices",
        "BAKPROOF_INSTANCE_MACHINE": f"{MACHINE}instance", "BAKPROOF_DISCOVERY_MACHINE": f"{MACHINE}discovery",
    }
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if not Answers.answered.wait(30):
        process.kill()
        raise SystemExit(f"{command[-1]} does not answer: {process.stderr.read().decode()[-2000:]}")
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    process.send_signal(signal.SIGKILL)
    used = os.wait4(process.pid, 0)[2]
    process.returncode = -signal.SIGKILL
    process.stderr.close()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    return (Answers.answered_at - began) * 1000, (used.ru_utime + used.ru_stime) * 1000, peak


def measure(name, what, command, port, payload, runs, calls, words):
    """Starts it `runs` times after one that warms the page cache, checks each answer, prints a line; (milliseconds, mebibytes)."""
    starts = []
    for _ in range(runs + 1):
        starts.append(start(command, port, payload))
        if words not in Answers.answer.decode() or Answers.calls != calls:
            raise SystemExit(f"{name}: {Answers.calls} calls, answered {Answers.answer.decode()[:300]}")
    wall, processor, peak = (sorted(column) for column in zip(*starts[1:]))
    median, p90 = statistics.median(wall), wall[min(len(wall) - 1, len(wall) * 9 // 10)]
    print(f"{name:<20}{what:<10}{median:>10.1f}{p90:>10.1f}{statistics.median(processor):>10.1f}{peak[-1]:>12.1f}", flush=True)
    return median, peak[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the binaries are")
    parser.add_argument("--runs", type=int, default=20, help="cold starts of each")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a limit is missed")
    arguments = parser.parse_args()
    server = Server(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, missed = server.server_port, []
    print(f"{'function':<20}{'asks':<10}{'median ms':>10}{'p90 ms':>10}{'CPU ms':>10}{'peak MiB':>12}")
    for name in FUNCTIONS:
        command = [str((arguments.folder / name).resolve(strict=True))]
        payload, words = OTHERS.get(name, (STALE, "PayloadVersion"))
        took, peak = measure(name, "no call", command, port, payload, arguments.runs, 0, words)
        if took > MILLISECONDS_MAX or peak > MEBIBYTES_MAX:
            missed.append(name)
        if name in CALLS:
            payload, words = CALLS[name]
            measure(name, "GetItem", command, port, payload, arguments.runs, 1, words)
    python = [sys.executable, "-c", PYTHON]
    runs = max(3, arguments.runs // 4)
    measure("Python, botocore", "no call", python, port, STALE, runs, 0, "found")
    measure("Python, botocore", "GetItem", python, port, RUN, runs, 1, "found")
    print(f"limits: {MILLISECONDS_MAX} ms and {MEBIBYTES_MAX} MiB without a call; missed by: {', '.join(missed) or 'none'}")
    if missed and arguments.strict:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
