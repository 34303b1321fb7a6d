"""What goes wrong between a function and AWS: a request turned down, failed, lost or never answered, before AWS knew of it or after it was done.

Each service turns down and fails in its own words (its API reference, "Common errors"; read 2026-11). How long a request hangs is the client's
decision: nobody answers until the client has gone.
"""

import contextlib
import json
import threading

# Kinds that come before AWS knows of the request, and those behind what was done.
BEFORE = "throttled", "failed", "lost", "hanging"
BEHIND = "done and failed", "done and lost", "done and hanging"
HANGING = "hanging", "done and hanging"

JSON_FAILURES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#InternalServerError", "events": "InternalException", "kms": "KMSInternalException",
    "secretsmanager": "InternalServiceError", "states": "InternalFailure",
}
QUERY = "<ErrorResponse><Error><Type>{whose}</Type><Code>{code}</Code><Message>{text}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
S3 = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{text}</Message><RequestId>r</RequestId></Error>'


def words(service, is_throttled):
    """Status, content type and body with which a service turns a request down, or fails."""
    text = "Rate exceeded" if is_throttled else "Internal failure"
    if service == "s3":
        code = "SlowDown" if is_throttled else "InternalError"
        return 503 if is_throttled else 500, "application/xml", S3.format(code=code, text=text).encode()
    if service in ("rds", "sns"):
        code, whose = ("Throttling", "Sender") if is_throttled else ("InternalFailure", "Receiver")
        return 400 if is_throttled else 500, "text/xml", QUERY.format(whose=whose, code=code, text=text).encode()
    prefix = "com.amazonaws.dynamodb.v20120810#" if service == "dynamodb" else ""
    kind = f"{prefix}ThrottlingException" if is_throttled else JSON_FAILURES[service]
    version = "1.0" if service in ("dynamodb", "states") else "1.1"
    return 400 if is_throttled else 500, f"application/x-amz-json-{version}", json.dumps({"__type": kind, "message": text}).encode()


class Trouble:
    """Whose every so-manieth request goes wrong, and how. The same for the same requests in the same order."""

    def __init__(self):
        self.every, self.seen, self.hangs, self.lock = 0, 0, [], threading.Lock()
        self.kinds = [kind for pair in zip(BEFORE, (*BEHIND, None)) for kind in pair if kind]
        # By kind and service, counted when it has been done to somebody.
        self.made = {}

    @contextlib.contextmanager
    def of(self, every, *hangs):
        """Trouble for a while, in which one request of each of these kinds hangs: that takes as long as a client waits. Gives what tells how
        much was made since it began, by kind."""
        before = self.by_kind()
        self.every, self.hangs = every, list(hangs)
        try:
            yield lambda: {kind: count - before[kind] for kind, count in self.by_kind().items() if count > before[kind]}
        finally:
            self.every = 0

    def next(self):
        """What is to go wrong with the request that comes now."""
        with self.lock:
            self.seen += 1
            if not self.every or self.seen % self.every:
                return None
            kind = self.kinds[self.seen // self.every % len(self.kinds)]
            if kind in HANGING:
                if kind not in self.hangs:
                    return "lost" if kind == "hanging" else "done and lost"
                self.hangs.remove(kind)
            return kind

    def was_made(self, kind, service):
        with self.lock:
            self.made[kind, service] = self.made.get((kind, service), 0) + 1

    def counted(self):
        with self.lock:
            return list(self.made.items())

    def by_kind(self):
        counted = self.counted()
        return {kind: sum(count for (made, _), count in counted if made == kind) for kind in self.kinds}

    def services(self):
        return {service for (_, service), _ in self.counted()}
