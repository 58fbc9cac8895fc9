from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import msgspec
import pytest

from innoai.access.routes import ROUTES
from innoai.api import docs
from innoai.api.admission import path_template
from innoai.api.app import HANDLERS
from innoai.api.operations import OPERATIONS, PATH_PARAMETERS, TAGS
from innoai.api.operations.inference import MULTIPART
from innoai.api.operations.operation import (
    CUSTOMER_ID,
    DELIVERY_ID,
    ENDPOINT_ID,
    KEY_ID,
    MEMBER_ID,
    MODEL,
    TOKEN,
    Operation,
)
from innoai.api.wire import FORM, JSON

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT: dict[str, Any] = json.loads(docs.DOCUMENT)
PAGES = {docs.show_docs, docs.show_asset}
EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
_numbers = itertools.count(1)


def key_of(operation: Operation) -> tuple[str, str]:
    return operation.method, operation.path


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """For a schema of the document, whose references point into it."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def rendered(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def test_every_row_of_the_matrix_has_exactly_one_operation():
    operations = Counter(key_of(operation) for operation in OPERATIONS if operation.path.startswith("/v1/"))
    assert operations == Counter((route.method, route.path) for route in ROUTES)


def test_every_handler_under_v1_has_its_row_in_the_matrix():
    handled = {
        (method, path_template(handler))
        for handler in HANDLERS
        for method in handler.http_methods
        if path_template(handler).startswith("/v1/")
    }
    inference = {key_of(operation) for operation in OPERATIONS if operation.relayed}
    assert handled | inference == {(route.method, route.path) for route in ROUTES}
    assert not handled & inference


def test_every_other_handler_has_its_operation_or_is_a_page_for_people():
    handled = {
        ("GET", path_template(handler))
        for handler in HANDLERS
        if handler not in PAGES and not path_template(handler).startswith("/v1/")
    }
    assert handled == {key_of(operation) for operation in OPERATIONS if not operation.path.startswith("/v1/")}


def test_ids_are_unique_and_every_tag_is_explained():
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)
    assert {operation.tag for operation in OPERATIONS} == set(TAGS)


@EACH
def test_an_example_request_fits_its_schema_and_its_shape(operation):
    if operation.body is not None:
        content = rendered(operation)["requestBody"]["content"][operation.body.media_type]
        validator(content["schema"]).validate(content["example"])
        if operation.body.media_type == JSON:
            shape = operation.body.shapes[JSON]
            msgspec.json.decode(msgspec.json.encode(operation.body.example), type=shape)
    for parameter in rendered(operation).get("parameters", []):
        if "example" in parameter:
            validator(parameter["schema"]).validate(parameter["example"])
    if operation.query is not None:
        msgspec.convert(operation.query_example, operation.query)


@EACH
def test_an_example_answer_fits_its_schema(operation):
    answer = rendered(operation)["responses"][str(operation.status)]
    if operation.answer is None:
        assert "content" not in answer
        return
    content = answer["content"][operation.answer.media_type]
    validator(content["schema"]).validate(content["example"])


def test_every_example_of_a_refusal_fits_its_schema():
    responses = DOCUMENT["components"]["responses"]
    examples = [
        (response["content"][JSON]["schema"], example["value"])
        for response in responses.values()
        for example in response["content"][JSON].get("examples", {}).values()
    ]
    assert len(examples) >= len(responses) - 1
    for schema, value in examples:
        validator(schema).validate(value)


def made(caller: httpx.Client, path: str, **members: object) -> dict[str, Any]:
    answer = caller.post(path, json=members)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def as_written(operation: Operation, caller: httpx.Client) -> Callable[[Any], Any]:
    """Puts what exists on this server in the place of the ids and tokens that the examples name."""
    customer = f"customer_{next(_numbers)}"
    places = {CUSTOMER_ID: customer}
    if "{key_id}" in operation.path or operation.id == "explain_decision":
        places[KEY_ID] = made(caller, "/v1/keys", name="Named in an example")["id"]
    if "{member_id}" in operation.path:
        email = f"member-{next(_numbers)}@example.com"
        places[MEMBER_ID] = made(caller, "/v1/members", email=email, name="Ana")["id"]
    if "{endpoint_id}" in operation.path or "{delivery_id}" in operation.path:
        url, headers = "https://example.com/webhooks", {"x-team": "billing"}
        places[ENDPOINT_ID] = made(caller, "/v1/webhooks", url=url, headers=headers)["id"]
        places[DELIVERY_ID] = made(caller, f"/v1/webhooks/{places[ENDPOINT_ID]}/test")["id"]
    if operation.body is not None and TOKEN in json.dumps(operation.body.example):
        minted = made(caller, "/v1/auth/token", customer_id=customer, scopes=["inference:write"])
        places[TOKEN] = minted["refresh_token" if operation.id == "refresh_token" else "access_token"]
    elif "{customer_id}" in operation.path:
        made(caller, "/v1/customers", customer_id=customer, name="Acme", metadata={"plan": "gold"})

    def write(example: Any) -> Any:
        text = json.dumps(example)
        for name, value in places.items():
            text = text.replace(name, value)
        return json.loads(text)

    return write


def send(operation: Operation, caller: httpx.Client) -> httpx.Response:
    write = as_written(operation, caller)
    path = operation.path
    for name, (_, example) in PATH_PARAMETERS.items():
        path = path.replace(f"{{{name}}}", write(example))
    if operation.id in ("stream_events", "stream_requests"):
        with caller.stream("GET", path, params=operation.query_example) as stream:
            beginning = next(stream.iter_bytes())
        return httpx.Response(stream.status_code, headers=stream.headers, content=beginning)
    if operation.body is None:
        return caller.request(operation.method, path, params=operation.query_example)
    example = write(operation.body.example)
    if operation.body.media_type == MULTIPART:
        fields = {name: value for name, value in example.items() if name in {"model", "prompt"}}
        files = {name: ("example", value.encode()) for name, value in example.items() if name not in fields}
        return caller.post(path, data=fields, files=files)
    return caller.request(operation.method, path, json=example)


def outline(value: Any) -> Any:
    """Members and their kinds, without the values: of a list, its first item."""
    if isinstance(value, dict):
        return {name: outline(member) for name, member in value.items()}
    if isinstance(value, list):
        return [outline(item) for item in value[:1]]
    return float if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value)


def resembles(example: Any, answer: Any, *, whole: bool) -> bool:
    """Whether an answer has the example's members and kinds; where `whole`, no others. Null resembles all."""
    if type(None) in (example, answer) or example == [] or answer == []:
        return True
    if isinstance(example, dict) and isinstance(answer, dict):
        same = example.keys() == answer.keys() if whole else example.keys() <= answer.keys()
        return same and all(resembles(example[name], answer[name], whole=whole) for name in example)
    if isinstance(example, list) and isinstance(answer, list):
        return resembles(example[0], answer[0], whole=whole)
    return bool(example == answer)


@EACH
def test_the_running_server_accepts_the_example_and_answers_like_it(operation, caller):
    answer = send(operation, caller)
    assert answer.status_code == operation.status, answer.text
    documented = rendered(operation)["responses"][str(operation.status)]
    for name, reference in documented["headers"].items():
        header = DOCUMENT["components"]["headers"][reference["$ref"].rpartition("/")[2]]
        if not header["required"] and name not in answer.headers:
            continue
        value: Any = answer.headers[name]
        number = header["schema"]["type"] == "integer"
        validator(header["schema"]).validate(int(value) if number else value)
    if operation.answer is None:
        assert answer.content == b""
        return
    media_type = answer.headers["content-type"].partition(";")[0]
    if operation.answer.media_type != JSON:
        kind, _, rest = operation.answer.media_type.partition("/")
        assert media_type.startswith(kind)
        assert rest in ("*", media_type.partition("/")[2])
        assert operation.answer.example.split()[0].encode() in answer.content
        return
    assert media_type == JSON
    validator(documented["content"][JSON]["schema"]).validate(answer.json())
    if operation.id != "show_document":
        example, whole = outline(operation.answer.example), not operation.relayed
        if operation.id == "change_customer":
            assert answer.json()["name"] == "Acme Ltd"
        assert resembles(example, outline(answer.json()), whole=whole), answer.text


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if operation.body is not None and FORM in operation.body.shapes],
    ids=lambda operation: operation.id,
)
def test_a_form_is_read_wherever_the_document_says_so(operation, caller):
    example = as_written(operation, caller)(operation.body.example)
    assert caller.post(operation.path, data=example).status_code == operation.status


def test_the_examples_name_the_model_that_a_new_server_serves(caller):
    assert [model["id"] for model in caller.get("/v1/models").json()["data"]] == [MODEL]
