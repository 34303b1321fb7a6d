"""The same story in the simulator: `bakproof serve` of the same scenario with the policy in it, in virtual time, asked by its own HTTP API.

It starts at the same moment with the same seed, and what people ask of the cell they ask of it. Its catalogue is the cell's but for what the
pace of processes decides:
- ids and guids, which each server draws for itself;
- moments to the second, and with them LSNs and sizes, which tell how far the workload had come: a log that two clocks see a minute apart is
  another log. Their order is compared, all of a database's LSNs by rank;
- how many logs were copied until now, which is a question of when it is asked.
"""

import contextlib
import datetime
import json
import math
import subprocess
import urllib.error
import urllib.request

POLICY = """[policy]
name = "daily"
[policy.objectives]
window_days = 7
rpo_minutes = { damage = 10, instance = 150 }
[policy.schedule]
time_zone = "Etc/UTC"
full = { days = ["sun"], at = "01:00" }
log_copy = { every_minutes = 60 }

"""


class Twin:
    """A story that stands still until it is told to go on."""

    def __init__(self, bakproof, folder, scenario):
        head, rest = scenario.read_text().split("[policy]")
        _, rest = rest.split("[vault]")
        path = folder / "twin.toml"
        path.write_text(head + POLICY + "[vault]" + rest)
        command = [bakproof, "serve", path, "--manual", "--json", "--ca", folder / "twin.pem"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "twin.log").open("w"), text=True
        )
        self.url = json.loads(self.process.stdout.readline())["http"]
        self.now = None

    def until(self, moment):
        """Goes on until a moment of the story, which is not over before it."""
        self.step(0)
        if moment > self.now:
            self.step(math.ceil((moment - self.now).total_seconds()))

    def step(self, seconds):
        self.process.stdin.write(f"step {seconds}s\n")
        self.process.stdin.flush()
        self.now = datetime.datetime.fromisoformat(self.process.stdout.readline().strip())

    def ask(self, method, path, body=None, **headers):
        """As the cell is asked."""
        data = None if body is None else json.dumps(body).encode()
        if "if-match" in headers:
            headers["if-match"] = self.etag(path)
        headers = {"accept": "application/json", **({} if body is None else {"content-type": "application/json"}), **headers}
        request = urllib.request.Request(self.url.rstrip("/") + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def etag(self, path):
        with urllib.request.urlopen(self.url.rstrip("/") + path, timeout=60) as answer:
            return answer.headers["etag"]

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def twin(*arguments):
    found = Twin(*arguments)
    try:
        yield found
    finally:
        found.stop()


def lsn(text):
    """Virtual log file, block and slot: `28:240:1`, or the number that msdb has of it."""
    return tuple(int(part) for part in str(text).split(":"))


def normal(backups):
    """Backups of data as lists in the order in which they were made, ids by their place and LSNs by their rank."""
    made = sorted(backups, key=lambda found: found["started"])
    place = {found["backup"].upper(): at for at, found in enumerate(made)}
    ranks = sorted({lsn(found[field]) for found in made for field in ("first_lsn", "last_lsn")})
    return [
        {
            "kind": found["kind"], "base": place.get(found.get("base", "").upper()), "files": len(found["files"]), "held_in": found["held_in"],
            "lsns": [ranks.index(lsn(found[field])) for field in ("first_lsn", "last_lsn")], "database": found["database"],
            "ends_behind_its_start": found["started"] < found["finished"],
        }
        for found in made
    ]


def continuous(days):
    """Whether the log days of a lineage are one row of numbers and of LSNs, and where."""
    seqs = [number for day in days for number in range(day["first_seq"], day["last_seq"] + 1)]
    rows = all(left["last_lsn"] == right["first_lsn"] and left["last_seq"] + 1 == right["first_seq"] for left, right in zip(days, days[1:]))
    return {
        "first": days[0]["day"], "one_row": rows and len(seqs) == sum(day["count"] for day in days),
        "ranges": all(lsn(day["first_lsn"]) < lsn(day["last_lsn"]) for day in days), "buckets": len({day["bucket"] for day in days}),
    }


def intervals(window):
    """The structure of a window: what each interval begins with by its place, whether logs carry it, where it is held, and whether it joins."""
    found = window["intervals"]
    anchors = list(dict.fromkeys(interval["anchor"] for interval in found))
    return [
        {
            "anchor": anchors.index(interval["anchor"]), "logs": bool(interval.get("logs")), "held_in": interval["held_in"],
            "joins": at == 0 or found[at - 1]["to"] == interval["from"],
        }
        for at, interval in enumerate(found)
    ]
