"""Does `infra/package` make the same bytes wherever, whenever and by whomever it is run, and does a build name no folder of this machine?

`infra/package --check` asks that of the functions themselves and takes two whole builds. Here a program of a few lines, with the functions' own profile
and a panic in a crate that lies elsewhere, as those of registries do and so is compiled by its whole path, is built twice in folders of other names, and packed with another clock, umask and
folder. Needs cargo. Exit 0 when every check held.
"""

import importlib.machinery
import importlib.util
import os
import pathlib
import sys
import tempfile
import tomllib
import zipfile

sys.dont_write_bytecode = True

from cloud import REPOSITORY, check

MANIFEST = """[workspace]
[package]
name = "lambdas"
version = "0.0.0"
edition = "2024"
[dependencies]
inner = {{ path = "../build/inner" }}
[profile.function]
{profile}
"""
INNER = '[package]\nname = "inner"\nversion = "0.0.0"\nedition = "2024"\n'
LOCK = """version = 4
[[package]]
name = "inner"
version = "0.0.0"
[[package]]
name = "lambdas"
version = "0.0.0"
dependencies = ["inner"]
"""
MAIN = 'fn main() { println!("{}", inner::asked(std::env::args().count(), file!())); }\n'
LIBRARY = """pub fn asked(count: usize, who: &str) -> usize {
    assert!(count < 9, "{who} asked {}", file!());
    std::env::args().nth(count - 1).unwrap().len()
}
"""


def script():
    """`infra/package` as a module: it has no suffix."""
    loader = importlib.machinery.SourceFileLoader("package", str(REPOSITORY / "infra/package"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("package", loader))
    loader.exec_module(module)
    return module


def profile():
    """The settings of the functions' profile, as they stand in the workspace."""
    settings = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["profile"]["function"]
    word = {True: "true", False: "false"}
    return "\n".join(f"{name} = {word[value] if isinstance(value, bool) else repr(value)}" for name, value in settings.items())


def built(package, folder):
    """The program, built in a folder."""
    source = folder / "source"
    for name, text in {
        "Cargo.toml": MANIFEST.format(profile=profile()), "Cargo.lock": LOCK, "src/bin/probe.rs": MAIN,
        "../build/inner/Cargo.toml": INNER, "../build/inner/src/lib.rs": LIBRARY,
    }.items():
        path = (source / name).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package.build(source, folder / "build", ["probe"], native=True)["probe"]


def packed(package, binary, folder, mtime, umask):
    folder.mkdir(parents=True)
    copy = folder / binary.name
    copy.write_bytes(binary.read_bytes())
    os.utime(copy, (mtime, mtime))
    before = os.umask(umask)
    try:
        package.pack(copy, folder / "probe.zip")
    finally:
        os.umask(before)
    return folder / "probe.zip"


def main():
    package = script()
    with tempfile.TemporaryDirectory(prefix="bakproof-package-") as name:
        folder = pathlib.Path(name)
        places = folder / "one", folder / "another/and/deeper"
        one, another = (built(package, place) for place in places)
        check("two builds in two folders are the same", one.read_bytes() == another.read_bytes(), True)
        found = [text for text in (name, str(pathlib.Path.home())) if text.encode() in one.read_bytes()]
        check("they name no folder of this machine", (found, package.paths_in(one)), ([], set()))
        check("but where in the source a panic is", b"/target/inner/src/lib.rs" in one.read_bytes(), True)
        zips = packed(package, one, folder / "z", 1, 0o022), packed(package, another, folder / "a/b c", 2_000_000_000, 0o077)
        first, second = (archive.read_bytes() for archive in zips)
        check("two zips of another clock, umask and folder are the same", first == second, True)
        with zipfile.ZipFile(zips[0]) as archive:
            entries = [(entry.filename, entry.external_attr >> 16, entry.create_system) for entry in archive.infolist()]
            content = archive.read("bootstrap")
        check("a zip holds bootstrap, which all may run", entries, [("bootstrap", 0o100755, 3)])
        check("and it is the program", content == one.read_bytes(), True)
        large = folder / "large"
        large.write_bytes(bytes(package.BYTES_MAX + 1))
        check("more than 12 MiB is told", (package.table({"probe": one}, folder), package.table({"large": large}, folder)), (True, False))


if __name__ == "__main__":
    main()
