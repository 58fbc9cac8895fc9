from __future__ import annotations

import msgspec
import pytest

from innoai import json_shapes


class Shape(msgspec.Struct):
    number: int = 0
    texts: list[str] = []
    anything: object = None


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_a_whole_number_may_be_written_with_a_fraction_of_zero() -> None:
    assert json_shapes.decode(b'{"number": 60.0}', Shape).number == 60


@pytest.mark.parametrize("content", [b'{"number": 1.5}', b'{"number": "60"}', b"[]", b'{"texts": [1]}'])
def test_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        json_shapes.decode(content, Shape)


@pytest.mark.parametrize("depth", [100, 450, 500, 900, 990, 1000, 5000])
def test_another_shape_is_refused_however_deep_it_is(depth: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        json_shapes.decode(b'{"texts": %b}' % nested(depth), Shape)


@pytest.mark.parametrize("member", ["anything", "unknown"])
def test_what_is_too_deep_to_be_read_is_no_json(member: str) -> None:
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        json_shapes.decode(b'{"%b": %b}' % (member.encode(), nested(1_000_000)), Shape)
