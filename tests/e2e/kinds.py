"""What resources an action can be allowed on, by AWS's service authorization reference as cfn-lint carries it. A statement on others allows
nothing, which no local server tells.
"""

import importlib.resources
import json
import re

REFERENCE = json.loads(importlib.resources.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())


def formats(action):
    """Patterns of ARNs; none for an action that is allowed for all resources or for none."""
    service, name = action.split(":")
    of_service = REFERENCE[service]
    kinds = of_service["Actions"][name.lower()].get("Resources", [])
    found = [of_service["Resources"][kind.lower()] for kind in kinds]
    return [re.sub(r"\$\{\w+\}", "[^:]*", pattern) for kind in found for pattern in kind["ARNFormats"]]


def objections(allowed):
    """Actions with patterns of resources that they know nothing of."""
    said = []
    for action, pattern in sorted(allowed):
        known = formats(action)
        if pattern != "*" if not known else not any(re.fullmatch(one, pattern) for one in known):
            said.append((action, pattern))
    return said


def is_put_to_the_test():
    """Statements that would allow nothing and go unseen."""
    empty = {
        ("rds:DescribeEvents", "arn:aws:rds:eu-west-1:123456789012:db:*"), ("rds:DescribeDBInstances", "arn:aws:rds:eu-west-1:123456789012:og:*"),
        ("dynamodb:Query", "arn:aws:sqs:eu-west-1:123456789012:queue"), ("s3:ListBucket", "arn:aws:s3:eu-west-1:123456789012:bucket"),
    }
    return empty - set(objections(empty))
