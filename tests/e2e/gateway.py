"""What a function asks of AWS: a gateway of its own for each, which passes requests on and writes down what they are in the words of IAM.

It can also make trouble, as networks do: turn a request down, lose it, lose the answer.
"""

import http.client
import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

THROTTLED = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "Rate exceeded"}).encode()
# The actions behind the parts of a transaction.
PARTS = {"Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem"}


def service_of(headers):
    """The service that a request is signed for."""
    scope = re.search(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    return scope.group(1) if scope else "unsigned"


def actions_of(service, method, path, headers, body):
    """What IAM calls a request."""
    if service == "s3":
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query, keep_blank_values=True)
        if "versioning" in query:
            return ["s3:GetBucketVersioning"]
        if "encryption" in query:
            return ["s3:GetEncryptionConfiguration"]
        if "ownershipControls" in query:
            return ["s3:GetBucketOwnershipControls"]
        if method == "HEAD" or "list-type" in query:
            return ["s3:ListBucket"]
        return [f"s3:{method} {path}"]
    if service in ("rds", "sns"):
        return [f"{service}:{urllib.parse.parse_qs(body.decode())['Action'][0]}"]
    operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
    if operation == "TransactWriteItems":
        parts = [part for item in json.loads(body)["TransactItems"] for part in item]
        return [f"dynamodb:{PARTS[part]}" for part in parts]
    return [f"{service}:{operation}"]


class Trouble:
    """Whose every so-manieth request goes wrong, and how. The same for the same requests in the same order."""

    KINDS = ("throttled", "lost", "answer lost")

    def __init__(self):
        self.every, self.seen, self.made, self.lock = 0, 0, {kind: 0 for kind in self.KINDS}, threading.Lock()

    def next(self):
        with self.lock:
            self.seen += 1
            if not self.every or self.seen % self.every:
                return None
            kind = self.KINDS[self.seen // self.every % len(self.KINDS)]
            self.made[kind] += 1
            return kind


class Gateway:
    """Listens on loopback for one function."""

    def __init__(self, cloud_url, rds_url, trouble):
        self.asked, gateway = set(), self

        class Passing(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def passed(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                service = service_of(self.headers)
                gateway.asked.update(actions_of(service, self.command, self.path, self.headers, body))
                kind = trouble.next()
                if kind == "throttled" and service == "dynamodb":
                    return self.answered(400, [("content-type", "application/x-amz-json-1.0")], THROTTLED)
                if kind == "lost":
                    return self.broken()
                target = urllib.parse.urlsplit(rds_url if service == "rds" else cloud_url)
                behind = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
                headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
                behind.request(self.command, self.path, body=body, headers=headers)
                answer = behind.getresponse()
                told = answer.read()
                if kind == "answer lost":
                    return self.broken()
                return self.answered(answer.status, answer.getheaders(), told)

            def answered(self, status, headers, told):
                self.send_response(status)
                for key, value in headers:
                    if key.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                        self.send_header(key, value)
                self.send_header("content-length", str(len(told)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(told)

            def broken(self):
                self.close_connection = True

            def log_message(self, *_):
                pass

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = passed

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
