"""A copy of the checkout to break, with a build folder of its own."""

import os
import pathlib
import shutil
import subprocess
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = pathlib.Path(os.environ.get("BAKPROOF_CACHE", pathlib.Path.home() / ".cache/bakproof")) / "mutants"


class Tree:
    """The copy. What comes from registries is taken from the checkout's build folder, where it is built already: it is called the
    same in both and changes in neither. What is ours is built here."""

    def __init__(self):
        self.root, self.target = CACHE / "tree", CACHE / "target"
        self.environment = dict(os.environ, CARGO_TARGET_DIR=str(self.target), CARGO_TERM_COLOR="never")
        self.root.mkdir(parents=True, exist_ok=True)
        built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
        if (built / ".fingerprint").is_dir():
            take(built, self.target / "debug")

    def run(self, command, timeout=1_800):
        """Exit code, or None when it took too long, and what was said."""
        try:
            ran = subprocess.run(
                command, cwd=self.root, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b""
            return None, said.decode(errors="replace") if isinstance(said, bytes) else said
        return ran.returncode, ran.stdout

    def fresh(self):
        """What git knows and does not ignore; unchanged files keep their times, so that only patches are rebuilt."""
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE
        ).stdout.decode().split("\0")
        wanted = {name for name in names if name and (ROOT / name).is_file()}
        for old in [path for path in self.root.rglob("*") if path.is_file()]:
            if str(old.relative_to(self.root)) not in wanted:
                old.unlink()
        for name in sorted(wanted):
            source, target = ROOT / name, self.root / name
            if target.is_file() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            # A new time, not the source's: cargo compares times, and this content is new here.
            shutil.copyfile(source, target)
            shutil.copymode(source, target)


def take(built, target):
    """Copies built dependencies, with their times: cargo compares those."""
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    registry = {package["name"] for package in packages if "source" in package}
    hashes = set()
    for folder in ("build", ".fingerprint"):
        for unit in (built / folder).iterdir():
            name, _, hashed = unit.name.rpartition("-")
            if name in registry:
                hashes.add(hashed)
                if not (target / folder / unit.name).exists():
                    shutil.copytree(unit, target / folder / unit.name)
    (target / "deps").mkdir(parents=True, exist_ok=True)
    for file in (built / "deps").iterdir():
        if file.stem.rpartition("-")[2] in hashes and not (target / "deps" / file.name).exists():
            shutil.copy2(file, target / "deps" / file.name)
