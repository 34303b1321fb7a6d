"""Takes `infra/trust` the bundles that functions can verify instances with, and nothing else? With authorities made here, no network.

Usage: VENV/bin/python3 tests/e2e/trust.py. Needs `cryptography`, which ministack brings. Exit 0 when every check held.
"""

import datetime
import pathlib
import re
import subprocess
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud import REPOSITORY, check

INSIDE = pathlib.PurePosixPath("rds/global-bundle.pem")
NOW = datetime.datetime.now(datetime.timezone.utc)


def certificate(name, begins, ends, is_authority=True, issuer=None):
    """A certificate in PEM, with days from now at which it begins and ends; signed by itself unless by somebody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]) if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=begins))
        .not_valid_after(NOW + datetime.timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def fetched(folder, source):
    """Runs the script on a source: exit code, what it said."""
    run = subprocess.run([REPOSITORY / "infra/trust", source, "--folder", folder], capture_output=True, text=True, timeout=60)
    return run.returncode, run.stdout + run.stderr


def main():
    old, new = certificate("old root", -4_000, 30), certificate("new root", -10, 9_000)
    middle = certificate("middle", -10, 900, issuer="old root")
    expired, leaf = certificate("expired root", -900, -1), certificate("server", -10, 90, is_authority=False)
    early = certificate("early root", 10, 900)
    with tempfile.TemporaryDirectory(prefix="bakproof-trust-") as name:
        folder = pathlib.Path(name)
        source, layer = folder / "bundle.pem", folder / "layer"
        good = b"# comments stay\n" + old + new + middle + expired
        source.write_bytes(good)
        for how in (str(source), source.as_uri()):
            code, said = fetched(layer, how)
            check(f"a bundle is taken from {how.split('/')[0] or 'a path'}", (code, (layer / INSIDE).read_bytes()), (0, good), said)
        check("the first to end is told first", re.findall(r"(?:root|intermediate)\s+(\w+ ?\w*)", said)[:2], ["expired root", "old root"], said)
        for words in ("EXPIRED", "ends in 29 days", "intermediate  middle", "4 certificates, 2 roots valid today"):
            check(f"it says {words!r}", words in said, True, said)
        check("functions may read it", oct((layer / INSIDE).stat().st_mode & 0o777), "0o644")
        for what, content, words in (
            ("a server's certificate", new + leaf, "certificate 2 is no authority's"),
            ("half a certificate", new + old[: len(old) // 2], "1 certificates in PEM are whole"),
            ("a certificate with a spoilt body", new + re.sub(rb"\nMI", b"\nQQ", old), "certificate 2 cannot be read"),
            ("a private key beside it", new + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "other text is not"),
            ("an error page", b"<html>Forbidden</html>", "0 certificates in PEM are whole"),
            ("nothing", b"", "0 certificates in PEM are whole"),
            ("roots of the past and the future", expired + early, "no root is valid today"),
            ("no root", middle, "no root is valid today"),
            ("five megabytes", new + b"#" * (5 << 20), "is no bundle"),
        ):
            source.write_bytes(content)
            code, said = fetched(layer, str(source))
            check(f"{what} is refused, in words", (code, words in said, "Traceback" in said), (1, True, False), said)
            check("and what was there stays", ((layer / INSIDE).read_bytes(), len(list((layer / "rds").iterdir()))), (good, 1))
        for how in (str(folder / "missing.pem"), "http://127.0.0.1:9/bundle.pem", "https://127.0.0.1:9/bundle.pem", str(folder)):
            code, said = fetched(layer, how)
            check(f"{how.replace(name, '')} is refused in one line", (code, said.startswith("infra/trust: "), said.count("\n")), (1, True, 1), said)
    template = (REPOSITORY / "infra/template.yaml").read_text()
    options = (REPOSITORY / "functions/sqlserver/src/options.rs").read_text()
    check("the layer is the folder that is filled", "ContentUri: ../target/lambda/trust\n" in template, True)
    check("functions look where it lies", f'"/opt/{INSIDE}"' in options, True)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
