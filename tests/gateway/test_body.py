from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innoai.config import Upstream
from innoai.errors import InnoError
from innoai.gateway.body import (
    MOST_MEMBERS,
    MOST_PART_HEAD,
    MOST_PARTS,
    JsonBody,
    MultipartBody,
    read_json,
    read_multipart,
)
from innoai.inference import MAX_MODEL_NAME
from innoai.metering.bounds import BOUNDING
from tests.support.growth import LINEAR, growth

SAME = Upstream("http://models.example/v1")
MAPPED = Upstream("http://models.example/v1", model="upstream-model")
NO_USAGE = Upstream("http://models.example/v1", include_usage=False)
MODEL = "inno-ai-boyong-4.5"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


def refused(content: bytes) -> InnoError:
    with pytest.raises(InnoError) as error:
        read_json(content)
    assert error.value.refusal.code == "invalid_request"
    return error.value


def sent(content: bytes, upstream: Upstream = MAPPED, *, usage_option: bool = True) -> bytes:
    return read_json(content).encode(upstream, usage_option=usage_option)


# JSON.


def test_the_model_is_mapped_and_everything_else_is_kept_byte_for_byte() -> None:
    kept = (
        b'"big":123456789012345678901234567890,"float":1.0,"small":1e-400,"exponent":1E+2,'
        b'"escapes":"\\u0041\\u00e9\\/\\ud83d\\ude00","raw":"\xc3\xa9","nested":{"a":1,"a":2,"model":"x"},'
        b'"spaced":[ 1 , 2 ],"empty":{},"zero":-0'
    )
    content = b'{"model":"inno-ai-boyong-4.5",' + kept + b"}"
    assert sent(content) == b'{"model":"upstream-model",' + kept + b"}"


def test_without_a_mapping_the_model_is_kept_as_it_is() -> None:
    assert sent(b'{"a":1.0,"model":"inno-ai-boyong-4.5"}', SAME) == b'{"a":1.0,"model":"inno-ai-boyong-4.5"}'


@given(st.dictionaries(st.text(), values, max_size=6))
@settings(deadline=None)
def test_a_mapped_body_means_what_it_meant(members: dict[str, Any]) -> None:
    decided = {"model", "stream", "stream_options", "models", "route", "provider"} | BOUNDING
    members = {name: value for name, value in members.items() if name.casefold() not in decided}
    if len({name.casefold() for name in members}) < len(members):
        return
    content = json.dumps({**members, "model": MODEL}).encode("utf-8", "surrogatepass")
    assert json.loads(sent(content)) == {**members, "model": "upstream-model"}


@pytest.mark.parametrize(
    "content",
    [
        b'{"model":"other","model":"inno-ai-boyong-4.5"}',
        b'{"mod\\u0065l":"other","model":"inno-ai-boyong-4.5"}',
        b'{"model":"other","\\u006dodel":"inno-ai-boyong-4.5"}',
        b'{"model":1,"model":"inno-ai-boyong-4.5"}',
    ],
)
def test_of_a_repeated_model_only_the_one_that_was_decided_about_goes_on(content: bytes) -> None:
    body = read_json(content)
    assert body.model == MODEL
    assert body.encode(SAME, usage_option=False) == b'{"model":"inno-ai-boyong-4.5"}'
    assert body.encode(MAPPED, usage_option=False) == b'{"model":"upstream-model"}'


@pytest.mark.parametrize(
    "members",
    [
        b'"model":"a","Model":"b"',
        b'"MODEL":"a","model":"b"',
        b'"model":"a","stream":false,"\\u017ftream":true',
        b'"model":"a","\xc5\xbftream":true',
        b'"model":"a","Stream":true',
        b'"model":"a","STREAM_OPTIONS":{}',
        b'"Model":"a"',
        b'"model":"a","max_tokens":1,"Max_Tokens":9',
        b'"model":"a","max_tokens":1,"max_to\xe2\x84\xaaens":9',
        b'"model":"a","max_tokens":1,"MAX_COMPLETION_TOKEN\xc5\xbf":9',
        b'"model":"a","N":9',
        b'"model":"a","Prompt":["b","c"]',
        b'"model":"a","Previous_Response_Id":"resp_1"',
    ],
)
def test_names_that_some_model_servers_take_for_one_another_are_refused(members: bytes) -> None:
    refused(b"{" + members + b"}")


@pytest.mark.parametrize(
    "text",
    [
        rb"abc \ud83d",
        rb"abc \uD83D and so on",
        rb"\ude00",
        rb"\ud83d\ud83d",
        rb"\\\ud83d",
        rb"\ud83d\n",
        rb"\ud83d\u0041",
    ],
)
def test_half_of_a_surrogate_pair_is_said_to_be_one(text: bytes) -> None:
    for content in (b'{"model":"a","x":"%b"}' % text, b'{"model":"a","x":["%b"],"y":1}' % text):
        assert "half of a surrogate pair" in refused(content).refusal.message


@pytest.mark.parametrize("text", [rb"\ud83d\ude00", rb"\\ud83d", rb"\u00e9"])
def test_of_other_broken_json_no_surrogate_pair_is_blamed(text: bytes) -> None:
    assert "surrogate" not in refused(b'{"model":"a","x":"%b"' % text).refusal.message


ELSEWHERE = """models route fallbacks fallback_models default_fallbacks model_list context_window_fallbacks
context_window_fallback_dict content_policy_fallbacks provider custom_llm_provider api_base base_url api_key
extra_body"""


@pytest.mark.parametrize("name", ELSEWHERE.split())
def test_nothing_beside_the_model_may_name_another_or_whom_to_ask(name: str) -> None:
    for value in ('["other"]', '"other"', '{"other": 1}', '""'):
        error = refused(f'{{"model":"a","{name}": {value}}}'.encode())
        assert error.refusal.details["param"] == name
        assert "Leave it out" in error.refusal.message
    refused(f'{{"model":"a","{name.title()}":["other"]}}'.encode())
    for unused in ("null", "[]", "{}"):
        nothing = f'{{"model":"a","{name}":{unused}}}'.encode()
        assert sent(nothing, SAME) == nothing


@pytest.mark.parametrize("field", ["models", "models[]", "Fallbacks[0]", "provider", "api_base"])
def test_no_field_beside_the_model_may_name_another_or_whom_to_ask(field: str) -> None:
    assert "another model" in form_refused(form(NAMED, part(b'name="%b"' % field.encode(), b"other")))


def test_a_forms_service_tier_costs_no_more() -> None:
    assert "service_tier" in form_refused(form(NAMED, part(b'name="service_tier"', b"priority")))
    content = form(NAMED, part(b'name="service_tier"', b"auto"))
    assert read_multipart(content, TYPE).encode(SAME) == content


@pytest.mark.parametrize("tier", ["priority", "scale", "performance", "Default", "", "pr\\u0069ority"])
def test_a_service_tier_with_another_price_is_refused(tier: str) -> None:
    error = refused(f'{{"model":"a","service_tier":"{tier}"}}'.encode())
    assert error.refusal.details["param"] == "service_tier"
    refused(b'{"model":"a","service_tier":1}')


@pytest.mark.parametrize("tier", ['"auto"', '"default"', '"flex"', "null"])
def test_a_service_tier_that_costs_no_more_goes_on(tier: str) -> None:
    content = f'{{"model":"a","service_tier":{tier}}}'.encode()
    assert sent(content, SAME) == content


def test_other_members_may_differ_in_case_alone() -> None:
    content = b'{"model":"a","x":1,"X":2,"\xc3\xa9":3}'
    assert sent(content, SAME) == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"model"',
        b'{"model":"a"',
        b'{"model":"a"}}',
        b'{"model":"a",}',
        b"{'model':'a'}",
        b'{"model":"a"} {"model":"b"}',
        b'{"model":"a","x":01}',
        b'{"model":"a","x":NaN}',
        b'{"model":"a","x":"\x01"}',
        b'{"model":"a","x":"\\q"}',
        b'\xef\xbb\xbf{"model":"a"}',
        '{"model":"a"}'.encode("utf-16"),
        b'{"model":"\xff"}',
        b'{"model":"a","x":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    ],
    ids=range(17),
)
def test_what_is_not_one_json_object_in_utf8_is_refused(content: bytes) -> None:
    assert len(str(refused(content))) < 200


@pytest.mark.parametrize(
    "model", [b"1", b"null", b"[]", b'""', b'"' + b"x" * (MAX_MODEL_NAME + 1) + b'"', b'{"a":1}']
)
def test_a_model_is_a_name(model: bytes) -> None:
    assert refused(b'{"model":' + model + b"}").refusal.details == {"param": "model"}


def test_a_body_without_a_model_is_told_where_to_find_one() -> None:
    error = refused(b'{"messages":[]}')
    assert error.refusal.details == {"param": "model"}
    assert "GET /v1/models" in error.refusal.message


def test_the_longest_model_name_is_taken() -> None:
    assert read_json(json.dumps({"model": "é" * MAX_MODEL_NAME}).encode()).model == "é" * MAX_MODEL_NAME


# Streams and their usage.


@pytest.mark.parametrize(
    ("members", "streamed", "wants_usage"),
    [
        (b"", False, False),
        (b',"stream":false', False, False),
        (b',"stream":null', False, False),
        (b',"stream": true ', True, False),
        (b',"stream":true,"stream_options":null', True, False),
        (b',"stream":true,"stream_options":{}', True, False),
        (b',"stream":true,"stream_options":{"include_usage":false}', True, False),
        (b',"stream":true,"stream_options":{"include_usage":true}', True, True),
        (b',"stream":false,"stream":true', True, False),
    ],
)
def test_whether_a_stream_is_wanted_and_its_usage_too(
    members: bytes, streamed: bool, wants_usage: bool
) -> None:
    body = read_json(b'{"model":"a"' + members + b"}")
    assert (body.streamed, body.wants_usage) == (streamed, wants_usage)


@pytest.mark.parametrize("stream", [b"1", b'"true"', b"0", b"[]", b'"yes"'])
def test_what_some_model_servers_take_for_true_is_refused(stream: bytes) -> None:
    assert refused(b'{"model":"a","stream":' + stream + b"}").refusal.details == {"param": "stream"}


@pytest.mark.parametrize("options", [b"1", b"[]", b'"include_usage"', b"true"])
def test_stream_options_are_an_object(options: bytes) -> None:
    error = refused(b'{"model":"a","stream_options":' + options + b"}")
    assert error.refusal.details == {"param": "stream_options"}


@pytest.mark.parametrize(
    "options", [b"", b',"stream_options":null', b',"stream_options":{"include_usage":false}']
)
def test_a_stream_whose_caller_wants_no_usage_is_asked_for_it(options: bytes) -> None:
    body = read_json(b'{"model":"a","stream":true' + options + b"}")
    assert body.asks_for_hidden_usage(SAME)
    asked = json.loads(body.encode(SAME, usage_option=True))
    assert asked["stream_options"] == {"include_usage": True}


def test_other_stream_options_are_kept_beside_it() -> None:
    content = b'{"model":"a","stream":true,"stream_options":{"include_obfuscation":false}}'
    asked = json.loads(sent(content))
    assert asked["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@pytest.mark.parametrize(
    ("members", "upstream", "usage_option"),
    [
        (b"", SAME, True),
        (b',"stream":false', SAME, True),
        (b',"stream":true', NO_USAGE, True),
        (b',"stream":true', SAME, False),
        (b',"stream":true,"stream_options":{"include_usage":true,"x":1.0}', SAME, True),
    ],
    ids=["no stream", "stream false", "an upstream without it", "a route without it", "wanted anyway"],
)
def test_usage_is_not_asked_for_where_it_is_not_needed_or_not_known(
    members: bytes, upstream: Upstream, usage_option: bool
) -> None:
    content = b'{"model":"a"' + members + b"}"
    assert sent(content, upstream, usage_option=usage_option) == content


def test_a_cap_of_ours_goes_alone_and_everything_else_is_kept() -> None:
    body = read_json(
        b'{"model":"a","max_tokens":-1,"x":1,"max_completion_tokens":999,"n_predict":-1,"max_output_tokens":9}'
    )
    capped = body.encode(SAME, usage_option=True, cap=("max_tokens", 256))
    assert capped == b'{"model":"a","x":1,"max_tokens":256}'
    assert b"999" in body.encode(SAME, usage_option=True)


def test_one_body_can_be_written_for_several_upstreams() -> None:
    body = read_json(b'{"model":"a","stream":true}')
    assert isinstance(body, JsonBody)
    first = body.encode(MAPPED, usage_option=True)
    assert body.encode(SAME, usage_option=False) == b'{"model":"a","stream":true}'
    assert body.encode(MAPPED, usage_option=True) == first


# Forms.

BOUNDARY = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
TYPE = b"multipart/form-data; boundary=" + BOUNDARY


def part(disposition: bytes, value: bytes, *more: bytes) -> bytes:
    head = b"\r\n".join((b"Content-Disposition: form-data; " + disposition, *more))
    return b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


AUDIO = part(
    b'name="file"; filename="speech.mp3"',
    b"\x00\xff\r\n\r\n--\r\n----WebKit\x00",
    b"Content-Type: audio/mpeg",
)
NAMED = part(b'name="model"', b"inno-ai-boyong-4.5")


def form_refused(content: bytes, content_type: bytes = TYPE) -> str:
    with pytest.raises(InnoError) as error:
        read_multipart(content, content_type)
    assert error.value.refusal.code == "invalid_request"
    return error.value.refusal.message


def test_the_model_of_a_form_is_mapped_and_the_rest_kept_byte_for_byte() -> None:
    content = form(AUDIO, NAMED, part(b'name="language"', b"en"))
    body = read_multipart(content, TYPE)
    assert (body.model, body.encode(SAME)) == (MODEL, content)
    mapped = form(AUDIO, part(b'name="model"', b"upstream-model"), part(b'name="language"', b"en"))
    assert body.encode(MAPPED) == mapped
    assert isinstance(body, MultipartBody)


def test_how_many_answers_a_form_asks_for_is_read() -> None:
    asked = form(NAMED, part(b'name="n"', b"3"), part(b'name="N"', b"10"))
    assert read_multipart(asked, TYPE).counts == (b"3", b"10")
    assert read_multipart(form(NAMED), TYPE).counts == ()


@pytest.mark.parametrize(
    "disposition",
    [
        b'name="model"',
        b"name=model",
        b'NAME="model"',
        b'name="model" ',
        b' name="model"',
        b'filename="x"; name="model"',
        b"name=\"model\"; filename*=UTF-8''x",
    ],
)
def test_a_models_name_is_found_in_every_sound_spelling(disposition: bytes) -> None:
    assert read_multipart(form(AUDIO, part(disposition, b"a-model")), TYPE).model == "a-model"


@pytest.mark.parametrize(
    "content_type",
    [
        TYPE,
        b'multipart/form-data; boundary="' + BOUNDARY + b'"',
        b"Multipart/Form-Data;BOUNDARY=" + BOUNDARY,
        b"multipart/form-data; charset=utf-8; boundary=" + BOUNDARY,
    ],
)
def test_a_boundary_is_found_in_every_sound_spelling(content_type: bytes) -> None:
    assert read_multipart(form(NAMED), content_type).model == MODEL


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b'multipart/form-data; boundary=""',
        b"multipart/form-data; boundary=" + b"x" * 71,
        b'multipart/form-data; boundary="a b"',
        TYPE + b"; boundary=other",
        b"multipart/form-data; boundary=other; BOUNDARY=" + BOUNDARY,
        b"multipart/form-data; xboundary=" + BOUNDARY,
        b"multipart/form-data; boundary*=" + BOUNDARY,
        b'multipart/form-data; x="boundary=' + BOUNDARY + b'"',
        b'multipart/form-data; x="a\\"; boundary=' + BOUNDARY + b'; y="',
        b"multipart/form-data, boundary=" + BOUNDARY,
        b"multipart/mixed; boundary=" + BOUNDARY,
    ],
)
def test_a_content_type_without_exactly_one_boundary_is_refused(content_type: bytes) -> None:
    assert "exactly one boundary" in form_refused(form(NAMED), content_type)


@pytest.mark.parametrize(
    "content",
    [
        form(AUDIO),
        form(NAMED, NAMED),
        form(NAMED, part(b"name=model", b"other")),
        form(NAMED, part(b'name="Model"', b"other")),
        form(NAMED, part(b'name="model"; filename="m.txt"', b"other")),
        b"--" + BOUNDARY + b"--\r\n",
    ],
    ids=["none", "twice", "twice, unquoted", "twice, in capitals", "twice, once as a file", "no part"],
)
def test_a_form_with_no_model_or_with_two_is_refused(content: bytes) -> None:
    form_refused(content)


@pytest.mark.parametrize(
    "disposition",
    [
        b"name*=UTF-8''model",
        b"name=\"x\"; name*=UTF-8''model",
        b'name="mod\\el"',
        b'name="x"; filename="a\\"; name=model; z="',
        b'name="x"; name="model"',
        b'name="=?utf-8?q?model?="',
        b'name="mod%65l"',
        b'name=""',
        b'filename="x"',
        b'name="model',
        b'name = "model"',
        b"name='model'",
        b'name="model" x',
        b"",
    ],
)
def test_a_name_that_model_servers_may_read_differently_is_refused(disposition: bytes) -> None:
    form_refused(form(NAMED, part(disposition, b"other")))


@pytest.mark.parametrize(
    "head",
    [
        b'Content-Disposition: form-data;\r\n name="model"',
        b'Content-Disposition: form-data; name="x"\r\nContent-Disposition: form-data; name="model"',
        b'Content-Disposition: form-data; name="x"\nContent-Disposition: form-data; name="model"',
        b'Content-Disposition: form-data; name="x"\n\nother',
        b'Content-Disposition: form-data; name="x"\rX: y',
        b'Content-Disposition : form-data; name="model"',
        b'Content-Disposition: attachment; name="model"',
        b"Content-Type: text/plain",
        b'X\0: y\r\nContent-Disposition: form-data; name="x"',
        b'no header\r\nContent-Disposition: form-data; name="x"',
        b"",
    ],
)
def test_a_part_whose_head_model_servers_may_read_differently_is_refused(head: bytes) -> None:
    odd = b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\nother\r\n"
    form_refused(form(NAMED, odd))


HIDDEN = b'Content-Disposition: form-data; name="model"\r\n\r\nother'


@pytest.mark.parametrize(
    "content",
    [
        b"preamble\r\n" + form(NAMED),
        b"\r\n" + form(NAMED),
        form(NAMED).removesuffix(b"--\r\n"),
        NAMED,
        form(NAMED) + form(part(b'name="model"', b"other")),
        form(NAMED, part(b'name="x"', b"value\n--" + BOUNDARY + b"\n" + HIDDEN)),
        form(NAMED, part(b'name="x"', b"value\r--" + BOUNDARY + b"\r\n" + HIDDEN)),
        form(NAMED, part(b'name="x"', b"value--" + BOUNDARY + b"\r\n" + HIDDEN)),
        form(NAMED, part(b'name="x"', b"value\r\n--" + BOUNDARY + b"\n" + HIDDEN)),
        form(NAMED, part(b'name="x"', b"value\r\n--" + BOUNDARY + b"  \r\n" + HIDDEN)),
        form(NAMED, part(b'name="x"', b"value\r\n--" + BOUNDARY + b"x\r\n" + HIDDEN)),
        form(NAMED, b"--" + BOUNDARY + b"\r\n"),
        form(NAMED, b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="x"\r\n\r\n'),
        form(NAMED).replace(b"\r\n", b"\n"),
        b"",
    ],
    ids=range(15),
)
def test_a_delimiter_that_model_servers_may_read_differently_is_refused(content: bytes) -> None:
    assert re.match(
        r"The form is not in the one spelling that all servers read alike: ", form_refused(content)
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"preamble\r\n" + form(NAMED), "does not begin with its boundary"),
        (form(NAMED, part(rb'name="file"; filename="a\"b.wav"', b"x")), "%22"),
        (form(NAMED, part(b'name="a b"', b"x")), "name"),
    ],
)
def test_a_form_that_rfc_7578_allows_is_told_what_is_not_read_here(content: bytes, what: str) -> None:
    assert what in form_refused(content)


@given(st.binary(max_size=200), st.binary(max_size=200))
@settings(deadline=None)
def test_a_binary_file_passes_whatever_is_in_it(before: bytes, after: bytes) -> None:
    content = form(
        part(b'name="file"; filename="a\\b.bin"', before + b"\r\n--" + BOUNDARY[:-1] + after), NAMED
    )
    if content.count(b"--" + BOUNDARY) > 3:
        return
    body = read_multipart(content, TYPE)
    assert body.model == MODEL
    assert content[body.start : body.end] == MODEL.encode()


def test_an_empty_value_is_no_end_of_the_form() -> None:
    assert read_multipart(form(part(b'name="prompt"', b""), NAMED), TYPE).model == MODEL


@pytest.mark.parametrize("model", [b"", b"x" * (MAX_MODEL_NAME + 1), b"\xff"])
def test_a_forms_model_is_a_name(model: bytes) -> None:
    form_refused(form(part(b'name="model"', model)))


def test_what_follows_the_last_delimiter_is_no_part() -> None:
    assert read_multipart(form(NAMED) + b'name="model"\r\n\r\nother', TYPE).model == MODEL


# Whoever asks pays with bytes: nothing takes longer than in proportion to them.


@pytest.mark.parametrize("padding", [b" ", b"\t", b";", b"; ", b";a=b", b';a="', b'\\"', b" \0"])
def test_a_form_of_blanks_is_no_more_work_than_its_bytes(padding: bytes) -> None:
    def take_apart(count: int) -> None:
        content_type = b"multipart/form-data; boundary=" + BOUNDARY + padding * count
        with suppress(InnoError):
            read_multipart(form(NAMED), content_type)
        disposition = b"name=a" + padding * (count // 16)
        with suppress(InnoError):
            read_multipart(form(part(disposition, b"x"), NAMED), TYPE)

    assert growth(take_apart, 4000) < LINEAR


def test_what_is_larger_than_any_request_is_refused() -> None:
    many = [part(b"name=a", b"x")] * MOST_PARTS
    with pytest.raises(InnoError, match="more than 1000 parts"):
        read_multipart(form(*many, NAMED), TYPE)
    with pytest.raises(InnoError, match="no head"):
        read_multipart(form(part(b"name=" + b"a" * MOST_PART_HEAD, b"x"), NAMED), TYPE)
    members = {f"member{number}": number for number in range(MOST_MEMBERS)}
    with pytest.raises(InnoError, match="more than 1000 members"):
        read_json(json.dumps({"model": MODEL, **members}).encode())


@pytest.mark.parametrize(
    ("background", "waits"), [("false", True), ("null", True), ("true", False), ("1", False)]
)
def test_an_answer_in_the_background_is_not_waited_for(background: str, waits: bool) -> None:
    body = read_json(f'{{"model": "m", "background": {background} }}'.encode())
    assert body.waits_for_the_answer is waits
    assert read_json(b'{"model": "m"}').waits_for_the_answer
