from __future__ import annotations

import json

import jsonschema_rs
import pytest

from innoai.events import body, catalogue
from innoai.events.types import EVENT_TYPES, PATTERNS, wants

EACH = pytest.mark.parametrize("name", EVENT_TYPES)


@EACH
def test_the_example_of_a_type_fits_its_schema(name: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(catalogue.schema(name))
    example = catalogue.example(name)
    validator.validate(example)
    assert not validator.is_valid({**example, "type": "another"})
    assert not validator.is_valid({**example, "data": {}})


@EACH
def test_a_schema_stands_by_itself(name: str) -> None:
    text = json.dumps(catalogue.schema(name))
    assert "$ref" not in text
    assert EVENT_TYPES[name].description in text


@EACH
def test_the_example_can_be_written_as_a_body(name: str) -> None:
    assert json.loads(body.write(catalogue.example(name))) == catalogue.example(name)


@EACH
def test_every_type_is_wanted_by_its_name_its_kind_and_all(name: str) -> None:
    kind = name.partition(".")[0] + ".*"
    assert {pattern for pattern in PATTERNS if wants([pattern], name)} == {name, kind, "*"}
