"""The patches: what each says of itself, and that it breaks the product and no judge."""

import re

from tree import HERE, ROOT

PRODUCT = re.compile(r"functions/[a-z]+/src/.+\.rs|statemachine/[a-z]+\.asl\.json")

# Beside the code, but judges of it: tests in files of their own, oracles, benches, checks of what the product says itself.
JUDGES = re.compile(r"(.*/)?(tests|.*_tests|oracle|speed|check|verify)\.rs|.*/(tests|verify)/.*")

TESTS_BEGIN = re.compile(r"^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*mod \w+ \{", re.MULTILINE)


class Patch:
    def __init__(self, file):
        self.file, self.name, self.text = file, file.stem, file.read_text()
        head = self.text.split("\n--- ", 1)[0].splitlines()
        said = lambda word: [line.split(":", 1)[1].strip() for line in head if line.startswith(word + ":")]
        self.fault, self.dies_from = said("fault"), said("dies from")
        self.files = re.findall(r"^\+\+\+ b/(\S+)", self.text, re.MULTILINE)

    def refused(self):
        """Why this is no fault of the product, or None."""
        if len(self.fault) != 1 or not self.dies_from or not self.files:
            return "says no fault, no check or no file; mend: see the head of `run`"
        for name in self.files:
            if not PRODUCT.fullmatch(name) or JUDGES.fullmatch(name):
                return f"touches {name}, which is no product code"
            if not (ROOT / name).is_file():
                return f"touches {name}, which does not exist"
        return None

    def apply(self, tree):
        """Applies to a fresh copy. Why not, or None."""
        refused = self.refused()
        if refused:
            return refused
        code, said = tree.run(["patch", "-p1", "-F0", "--no-backup-if-mismatch", "-i", str(self.file)])
        if code != 0:
            return "does not apply: " + " ".join(said.split())
        for name in self.files:
            before, after = (ROOT / name).read_text(), (tree.root / name).read_text()
            if before == after:
                return f"changes nothing in {name}"
            if tests_of(before) != tests_of(after):
                return f"touches the tests in {name}"
        return None


def tests_of(text):
    """The tests at the end of a file of code."""
    begins = TESTS_BEGIN.search(text)
    return text[begins.start():] if begins else ""


def read(is_check):
    """All of them. A patch that names no known check stops everything."""
    patches = [Patch(file) for file in sorted(HERE.glob("*.patch"))]
    for patch in patches:
        unknown = [how for how in patch.dies_from if not is_check(how)]
        if unknown:
            raise SystemExit(f"mutants: {patch.name}: {unknown[0]!r} names no check; mend: `checker NAME` or `test PACKAGE NAME`")
    return patches


def named(patches, names):
    unknown = set(names) - {patch.name for patch in patches}
    if unknown or not patches:
        raise SystemExit(f"mutants: no patch {', '.join(sorted(unknown))}; mend: name a file of this folder without .patch")
    return [patch for patch in patches if not names or patch.name in names]
