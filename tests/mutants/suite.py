"""The checks, asked of a copy: all of them, or one by name."""

import json
import re

PACKAGE = re.compile(r"^     Running .*\(\S*/deps/(\S+)-[0-9a-f]+(?:\.exe)?\)|^   Doc-tests (\S+)")
FAILED = re.compile(r"^test (\S+) .*\.\.\. FAILED$|^test (\S+) \.\.\. FAILED$")
ENDED = re.compile(r"^    `-p (\S+) --(\S+)(?: (\S+))?`$")


class Found:
    """Which checks object; `broken` says that they could not be asked."""

    def __init__(self):
        self.objecting, self.broken = [], None

    def has(self, how):
        """Whether the check of this name is among those that object."""
        words = how.split()
        if words[0] == "checker":
            return f"checker {words[1]}" in self.objecting
        tests = [check.split() for check in self.objecting if check.startswith("test ")]
        return any(test[1] == words[1] and words[2] in test[3] for test in tests)

    def text(self, most):
        if self.broken:
            return self.broken
        shown = [short(check) for check in self.objecting[:most]]
        more = len(self.objecting) - len(shown)
        return f"{len(self.objecting)}: " + ", ".join(shown) + (f" and {more} more" if more else "") if shown else "none"


def short(check):
    """`test domain domain chain::tests::x` as `domain chain::tests::x`; a target of another name than its package names it."""
    words = check.split()
    if words[0] != "test":
        return check
    return f"{words[2]} {words[3]}"


def is_check(how):
    words = how.split()
    return len(words) == 2 and words[0] == "checker" or len(words) == 3 and words[0] == "test"


def last(said):
    """The line that says what went wrong."""
    errors = [line for line in said.splitlines() if line.startswith(("error", "Error"))]
    lines = errors or said.splitlines() or [""]
    return lines[0 if errors else -1][:200]


def named(tree, how):
    words = how.split()
    found = Found()
    if words[0] == "checker":
        checkers(tree, found)
    else:
        tests(tree, found, ["-p", words[1]], [words[2]])
    return found


def everything(tree):
    found = Found()
    tests(tree, found, [], [])
    if not found.broken:
        checkers(tree, found)
    return found


def checkers(tree, found):
    """The simulation of the scenario beside this file."""
    code, said = tree.run(["cargo", "build", "--locked", "-q", "-p", "cli"])
    if code != 0:
        found.broken = "does not compile: " + last(said)
        return
    report = tree.target / "report.json"
    report.unlink(missing_ok=True)
    command = [str(tree.target / "debug/bakproof"), "simulate", "tests/mutants/scenario.toml", "--json", str(report)]
    code, said = tree.run(command, timeout=900)
    if code is None:
        found.objecting.append("simulation takes too long")
    elif not report.exists():
        found.objecting.append("simulation stops: " + last(said))
    else:
        told = json.loads(report.read_text())
        objecting = [checked["checker"] for checked in told["checkers"] if checked["objections"]]
        found.objecting += [f"checker {name}" for name in objecting] if code == 1 else []
        if code == 1 and not objecting:
            found.objecting.append("simulation: a promise or an expectation does not hold")


def tests(tree, found, packages, names):
    """`cargo test`, of some packages and names or of all."""
    where = targets(tree, found, packages)
    if found.broken:
        return
    command = ["cargo", "test", "--locked", "--no-fail-fast", *packages]
    code, said = tree.run(command + (["--", *names] if names else []))
    target, failed = None, set()
    for line in said.splitlines():
        if begins := PACKAGE.match(line):
            target = begins[1] or begins[2]
        elif test := FAILED.match(line):
            failed.add(target)
            found.objecting.append(f"test {where.get(target, target)} {target} {test[1] or test[2]}")
        elif ended := ENDED.match(line):
            # A target that died as a whole, or whose tests could not be told.
            name = (ended[3] or ended[1]).replace("-", "_")
            if name not in failed:
                found.objecting.append(f"test {ended[1]} {name} (died)")
    if code is None:
        found.objecting.append(f"test {where.get(target, target)} {target} (too-long)")
    elif code != 0 and not found.objecting:
        found.broken = "the tests could not be run: " + last(said)


def targets(tree, found, packages):
    """The package of each test target."""
    code, said = tree.run(["cargo", "test", "--locked", "--no-run", "--message-format=json", *packages])
    where = {}
    for line in said.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("reason") == "compiler-artifact" and message.get("executable"):
            package = message["package_id"].split("#")[0].rsplit("/", 1)[1]
            where[message["target"]["name"].replace("-", "_")] = package
    if code != 0:
        broken = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        errors = [m["message"]["message"] for m in broken if m.get("reason") == "compiler-message" and m["message"]["level"] == "error"]
        found.broken = "does not compile: " + (errors or [last(said)])[0][:200]
    return where
