"""The JSON Schema of the policy file, by which editors complete and check it: `docs/policy.schema.json`.

It says what a field may be; what it cannot say (what a YAML writer meant by `no`) the reading of the file refuses.
"""

import json
import sys

from tasks.policy.policy_file import PolicyDocument
from tasks.policy.rules_schema import rules_definitions
from tasks.policy.store import StorePolicy


def policy_schema() -> str:
    """The schema as the text of its file."""
    schema = PolicyDocument.model_json_schema(mode="validation")
    part = schema["$defs"][StorePolicy.__name__]
    part["properties"] |= {"lists": {"$ref": "#/$defs/Lists"}, "rules": {"$ref": "#/$defs/Rules"}}
    schema["$defs"] |= rules_definitions()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "The policy file of rever-returns"}
    return json.dumps({**head, **{name: value for name, value in schema.items() if name != "title"}}, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(policy_schema())
