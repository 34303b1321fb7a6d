"""A local cloud for whole processes: ministack on loopback, and in front of it what it cannot do.

ministack serves CloudFormation, S3, KMS, RDS, DynamoDB, Lambda, Secrets Manager and Step Functions. Its RDS knows no option groups with
options and no backups, and reports windows, port and version of its own, so instances, option groups and events are told from here, through the SDK's own
override `AWS_ENDPOINT_URL_RDS`.
"""

import io
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
REGION, ACCOUNT = "eu-west-1", "123456789012"
START_SECONDS_MAX = 60

OPTION_GROUPS = """<DescribeOptionGroupsResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">
<DescribeOptionGroupsResult><OptionGroupsList><OptionGroup><OptionGroupName>{name}</OptionGroupName><Options><Option>
<OptionName>SQLSERVER_BACKUP_RESTORE</OptionName></Option></Options></OptionGroup></OptionGroupsList>
</DescribeOptionGroupsResult></DescribeOptionGroupsResponse>"""

# At the moment from which the caller asks.
EVENTS = """<DescribeEventsResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeEventsResult><Events><Event>
<SourceIdentifier>{name}</SourceIdentifier><SourceType>db-instance</SourceType><Message>Finished DB Instance backup</Message>
<EventCategories><EventCategory>backup</EventCategory></EventCategories><Date>{at}</Date></Event></Events></DescribeEventsResult>
</DescribeEventsResponse>"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check(what, found, expected, cause=None):
    if found != expected:
        raise SystemExit(f"{what}\n  expected {expected}\n  found    {found}\n  cause    {cause}")
    print(f"ok  {what}", flush=True)


def function_zip(binary):
    """A package as Lambda takes it: the binary as `bootstrap`."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, binary.read_bytes())
    return code.getvalue()


class RdsFront(BaseHTTPRequestHandler):
    """Answers DescribeOptionGroups and DescribeEvents, and DescribeDBInstances where it is told of instances; passes every other RDS call on."""

    behind, instances = None, {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        call = urllib.parse.parse_qs(body.decode())
        action = call["Action"][0]
        described = self.instances.get(call.get("DBInstanceIdentifier", [""])[0])
        if action == "DescribeOptionGroups":
            answer = OPTION_GROUPS.format(name=call["OptionGroupName"][0]).encode()
        elif action == "DescribeEvents":
            answer = EVENTS.format(name=call["SourceIdentifier"][0], at=call["StartTime"][0]).encode()
        elif action == "DescribeDBInstances" and described:
            answer = described.encode()
        else:
            request = urllib.request.Request(self.behind, data=body, headers=dict(self.headers), method="POST")
            answer = urllib.request.urlopen(request, timeout=10).read()
        self.send_response(200)
        self.send_header("content-type", "text/xml")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def rds_front(cloud, instances):
    """Starts one in front of a cloud."""
    RdsFront.behind, RdsFront.instances = cloud.url, instances
    front = ThreadingHTTPServer(("127.0.0.1", 0), RdsFront)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    return front


class Cloud:
    """ministack as a process, with clients of it. `program` is a script that starts it otherwise than its own command does."""

    def __init__(self, folder, services, program=None, **environment):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GATEWAY_PORT": self.url.rsplit(":", 1)[1],
            "BIND_HOST": "127.0.0.1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "SFN_WAIT_SCALE": "0",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "SERVICES": services,
            **environment,
        }
        self.log = open(folder / "ministack.log", "w+")
        # Not by this folder, which has a module of that name.
        command = [sys.executable, "-P", *([program] if program else ["-m", "ministack"])]
        self.process = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log, cwd=folder)

    def wait(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                return urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).read()
            except OSError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"ministack did not start: {error}\n{self.tail()}") from error
                time.sleep(0.1)

    def client(self, service, region=REGION):
        session = botocore.session.Session()
        session.set_credentials(ACCOUNT, "test")
        return session.create_client(service, region_name=region, endpoint_url=self.url)

    def text(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def tail(self):
        return self.text()[-4000:]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
