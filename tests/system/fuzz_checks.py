"""What the fuzzer checks beyond its own checks; schemathesis loads it by SCHEMATHESIS_HOOKS.

Its check that valid data is accepted knows nothing of rules that no schema can say (a weak
password, a category that is not there, a cursor of another list). Here a refusal of valid data has
to be one of those, by its declared code.
"""

from typing import Any

import schemathesis
from schemathesis import GenerationMode

#: Refusals that say the request is not of the shape the document gives: valid data never earns
#: them.
SHAPE = {
    "invalid_json",
    "invalid_query",
    "invalid_multipart",
    "unsupported_media_type",
    "bad_request",
    "not_acceptable",
}
#: Of validation_failed: what JSON Schema has no words for.
BEYOND = {
    "invalid",  # a constraint: there is no such category
    "not_found",
    "excluded",  # page beside cursor
    "not_allowed",
    "bad_format",  # addresses and times that are of the pattern, and are none
    "required",  # current_password, where the address is to change
    "main_required",
    "in_own_subtree",
    "empty_file",
    "too_many_marks",
    "too_large",
    "control_character",
    "repeated",  # one store or id in two objects of a list
}


def refused(response: Any) -> bool:
    """Whether the application refused it; what is no HTTP the server refuses in words of its
    own.
    """
    kind = (response.headers.get("content-type") or [""])[0]
    return (
        response.status_code >= 400
        and response.status_code != 405
        and kind == "application/problem+json"
    )


@schemathesis.check
def valid_data_is_refused_only_by_a_declared_rule(
    ctx: Any, response: Any, case: Any
) -> bool | None:
    if not refused(response) or response.status_code in (401, 403, 404, 406, 429):
        return None
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return None
    problem = response.json()
    assert problem["code"] not in SHAPE, (
        f"valid data was refused as {problem['code']}: {problem['detail']}"
    )
    if problem["code"] == "validation_failed":
        for error in problem.get("errors", []):
            assert error["code"] in BEYOND, f"valid data was refused: {error}"
    return None


@schemathesis.check
def the_code_of_a_problem_is_declared(ctx: Any, response: Any, case: Any) -> bool | None:
    if not refused(response):
        return None
    definition = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    name = definition.get("$ref", "").rpartition("/")[2]
    declared = case.operation.schema.raw_schema["components"]["responses"].get(name, definition)
    code = response.json()["code"]
    assert code in declared.get("x-codes", ()), f"{code} is not declared for {response.status_code}"
    return None


@schemathesis.hook
def before_load_schema(ctx: Any, raw_schema: dict[str, Any]) -> None:
    """A field that takes more than its type (`x-also-accepts`) is not too lenient when it does;
    a tag is a tag.
    """
    widen(raw_schema)
    for name in ("IfMatch", "IfNoneMatch"):
        raw_schema["components"]["parameters"][name]["schema"]["format"] = "_if_match_header"


def widen(node: Any) -> None:
    for value in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        widen(value)
    if isinstance(node, dict) and "x-also-accepts" in node:
        other = node.pop("x-also-accepts")
        narrow = dict(node)
        node.clear()
        node["anyOf"] = [narrow, other]


@schemathesis.hook
def filter_case(ctx: Any, case: Any) -> bool:
    """What is left out, and why."""
    if len(str(case.formatted_path)) + len(str(case.query or "")) > 3000:
        return False  # the server's own limit of a request line answers, before the application
    body = case.body
    if (
        isinstance(body, dict)
        and case.operation.path.endswith("/profile")
        and body.keys() & {"password", "email"}
    ):
        return False  # would change what the next call signs in with
    return not (
        case.query and any(value in ("", []) for value in dict(case.query).values())
    )  # `?q=` is no parameter
