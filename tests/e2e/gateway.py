"""A gateway for each function, through which it speaks to AWS: it writes down what is asked, and makes the trouble of `faults.py`."""

import http.client
import select
import socket
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import faults
from asked import asked, service_of

# Far beyond any client's patience: one that waits longer is told so by its test.
HANGING_S_MAX = 60


class Server(ThreadingHTTPServer):
    """Clients that went away are the point of it."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Gateway:
    """Listens on loopback for one function."""

    def __init__(self, cloud_url, rds_url, trouble):
        # Actions with their resources, and the bodies that were sent.
        self.asked, self.sent, gateway = set(), [], self

        class Passing(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def passed(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                service = service_of(self.headers)
                gateway.asked.update(asked(service, self.command, self.path, self.headers, body))
                gateway.sent.append(f"{self.path} {body.decode(errors='replace')}")
                kind = trouble.next()
                if kind in faults.BEFORE:
                    return self.goes_wrong(kind, service)
                answer, told = self.behind(body, rds_url if service == "rds" else cloud_url)
                if kind:
                    return self.goes_wrong(kind, service)
                return self.answered(answer.status, answer.getheaders(), told)

            def behind(self, body, url):
                target = urllib.parse.urlsplit(url)
                behind = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
                headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
                behind.request(self.command, self.path, body=body, headers=headers)
                answer = behind.getresponse()
                return answer, answer.read()

            def goes_wrong(self, kind, service):
                if kind in faults.HANGING:
                    if not self.client_goes():
                        raise SystemExit(f"a client waits for {service} for longer than {HANGING_S_MAX} seconds")
                elif not kind.endswith("lost"):
                    status, content_type, told = faults.words(service, kind == "throttled")
                    self.answered(status, [("content-type", content_type)], told)
                    return trouble.was_made(kind, service)
                self.close_connection = True
                return trouble.was_made(kind, service)

            def client_goes(self):
                """Says nothing until the client has closed the connection; whether it has."""
                readable, _, _ = select.select([self.connection], [], [], HANGING_S_MAX)
                return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

            def answered(self, status, headers, told):
                self.send_response(status)
                for key, value in headers:
                    if key.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                        self.send_header(key, value)
                self.send_header("content-length", str(len(told)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(told)

            def log_message(self, *_):
                pass

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = passed

        self.server = Server(("127.0.0.1", 0), Passing)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
