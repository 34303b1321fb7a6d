"""The API's document, judged by a validator that nobody here wrote. Takes the command's path."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator


def main(bakproof: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        serve = subprocess.Popen(
            [bakproof, "serve", "--manual", "--json", "--ca", os.path.join(folder, "ca.pem")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            ready = json.loads(serve.stdout.readline())
            with urllib.request.urlopen(ready["http"] + "/openapi.json", timeout=30) as answer:
                document = json.load(answer)
        finally:
            serve.send_signal(signal.SIGTERM)
            ended = serve.wait(timeout=30)
    wrong = list(OpenAPIV31SpecValidator(document).iter_errors())
    for error in wrong:
        print(f"{'/'.join(map(str, error.absolute_path))}: {error.message}")
    # A validator that finds nothing wrong in anything proves nothing.
    document["paths"]["/v1/fleet"]["get"]["responses"]["200"].pop("description")
    notices = list(OpenAPIV31SpecValidator(document).iter_errors())
    operations = sum(len(item) for item in document["paths"].values())
    schemas = len(document["components"]["schemas"])
    print(f"OpenAPI {document['openapi']}: {operations} operations, {schemas} schemas, {len(wrong)} errors; serve ended with {ended}")
    return 1 if wrong or not notices or ended else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
