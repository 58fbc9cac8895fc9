"""What a request can cost at most: never less than what any tokeniser would make of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.errors import InnoError
from innoai.metering import bounds
from innoai.metering.bounds import FILE_TOKENS, UNKNOWN_ANSWER, UNKNOWN_PROMPT

CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}


def members(**values: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}


def prompt(context_window: int | None = None, **values: Any) -> int:
    return bounds.prompt_tokens(members(**values), context_window)


@given(st.lists(st.text(), max_size=5))
def test_a_prompt_has_at_most_a_token_a_byte_and_some_a_message(texts: list[str]) -> None:
    said = [{"role": "user", "content": text} for text in texts]
    least = sum(len(text.encode()) + 4 for text in texts)
    assert prompt(messages=said) >= least
    assert prompt(input=texts) >= sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize(
    ("values", "least"),
    [
        ({"prompt": "abc"}, 3),
        ({"prompt": '{"id": "no stored prompt"}'}, 20),
        ({"input": [[1, 2, 3], [4]]}, 4),
        ({"tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"a": 1}}}]}, 40),
        ({"messages": [{"role": "user", "content": [PICTURE, PICTURE]}]}, 2 * FILE_TOKENS),
        ({"prompt": ["", "", ""]}, 3),
    ],
)
def test_whatever_is_read_counts(values: dict[str, Any], least: int) -> None:
    assert least <= prompt(**values) < least + 200


@pytest.mark.parametrize(
    "values",
    [
        {"previous_response_id": "resp_1"},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"tools": [{"type": {}}]},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"web_search_options": {}},
        {"tools": [{"type": "function"}, {"type": "file_search", "vector_store_ids": ["vs_1"]}]},
    ],
)
def test_what_the_model_server_keeps_or_looks_up_may_be_all_that_it_can_read(values: dict[str, Any]) -> None:
    assert prompt(**values) == UNKNOWN_PROMPT
    assert prompt(8192, **values) == 8192


def test_no_more_is_read_than_the_model_can() -> None:
    assert prompt(100, messages=[{"role": "user", "content": "x" * 1000}]) == 100


def test_settings_are_no_text() -> None:
    assert prompt(model="m" * 100, user="u" * 100, temperature=1, stream=True) == prompt()


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ({}, 1),
        ({"n": 3}, 3),
        ({"n": 2, "best_of": 5}, 5),
        ({"n": None}, 1),
        ({"n": -4}, 1),
        ({"n": 1000}, 1000),
        ({"n": 2.0}, 2),
        ({"prompt": ["a", "b", "c"]}, 3),
        ({"prompt": ["a", "b", "c"], "n": 2}, 6),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": []}, 1),
    ],
)
def test_every_answer_that_is_asked_for_counts(values: dict[str, Any], number: int) -> None:
    assert bounds.answers(members(**values)) == number


@pytest.mark.parametrize(
    ("path", "values", "cap"),
    [
        (CHAT, {"max_tokens": 5}, 5),
        (CHAT, {"max_completion_tokens": 6}, 6),
        (CHAT, {"max_tokens": 5, "max_completion_tokens": 60}, 60),
        (CHAT, {"max_output_tokens": 7}, None),
        (COMPLETIONS, {"max_tokens": 5}, 5),
        (COMPLETIONS, {"max_tokens": 5, "max_completion_tokens": -1}, None),
        (RESPONSES, {"max_output_tokens": 7}, 7),
        (CHAT, {"max_tokens": None}, None),
        (CHAT, {"max_tokens": 0}, None),
        (COMPLETIONS, {"max_tokens": 0}, 0),
        (COMPLETIONS, {"max_tokens": 0, "n_predict": -1}, None),
        (CHAT, {"max_tokens": 0, "max_completion_tokens": 60}, None),
        (CHAT, {"max_tokens": -1}, None),
        (CHAT, {"max_tokens": 1000.0}, 1000),
        (CHAT, {"max_tokens": 5, "max_completion_tokens": -1}, None),
        (CHAT, {"max_tokens": 5, "n_predict": 60}, 60),
        (CHAT, {"max_tokens": 5, "n_predict": -1}, None),
        (CHAT, {"n_predict": 5}, None),
        ("/v1/embeddings", {"max_tokens": 5}, None),
    ],
)
def test_a_cap_counts_where_the_route_knows_it(path: str, values: dict[str, Any], cap: int | None) -> None:
    assert bounds.stated_cap(members(**values), path) == cap


@pytest.mark.parametrize("value", ["5", 5.5, True, {}, [5]])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n_predict", "n", "best_of"])
def test_a_number_that_servers_may_read_differently_is_refused(name: str, value: object) -> None:
    odd = members(**{"max_tokens": 5, name: value})
    with pytest.raises(InnoError, match=f"{name} must be a whole number"):
        (bounds.answers(odd), bounds.stated_cap(odd, CHAT))


@pytest.mark.parametrize("name", ["file_id", "file_url", "file_data", "file", "video_url"])
def test_a_document_may_be_all_that_the_model_can_read(name: str) -> None:
    said = [{"role": "user", "content": [{"type": "input_file", name: "f"}]}]
    assert prompt(input=said) >= UNKNOWN_PROMPT
    assert prompt(8192, input=said) == 8192


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video", "video": ["https://v.example/1.jpg", "https://v.example/2.jpg"]},
        {"type": "image", "image": "https://v.example/1.jpg"},
        {"type": "image", "text": "https://v.example/1.jpg"},
        {"type": "audio", "content": [{"type": "text", "text": "https://v.example/1.mp3"}]},
        {"type": ["video"], "text": "https://v.example/1.mp4"},
        {"type": "text", "text": "Look", "video": "https://v.example/1.mp4"},
        {"type": "image_url", "url": "https://v.example/1.jpg"},
        {"type": "image_url", "image_url": ["https://v.example/1.jpg"] * 9},
        {"Image_URL": {"url": "https://v.example/1.jpg"}},
        {"image": "https://v.example/1.jpg"},
    ],
)
def test_what_is_not_known_to_be_text_may_be_all_that_the_model_can_read(part: dict[str, Any]) -> None:
    """Each model server has its own spellings of what it fetches: a list of their names is never whole."""
    ways: list[Any] = [[{"role": "user", "content": [part]}], [{"role": "user", "content": part}], [part]]
    for said in ways:
        assert UNKNOWN_PROMPT <= prompt(messages=said) < 2 * UNKNOWN_PROMPT
        assert UNKNOWN_PROMPT <= prompt(input=said) < 2 * UNKNOWN_PROMPT
        assert prompt(8192, messages=said) == 8192
    beside = [{"role": "user", "content": "Look", "images": ["https://v.example/1.jpg"]}]
    assert prompt(messages=beside) >= UNKNOWN_PROMPT


CALL = {"name": "see", "arguments": {"type": "image", "image": "x"}}


@pytest.mark.parametrize(
    "said",
    [
        {"role": "user", "name": "Ann", "content": [{"type": "text", "text": "Hi"}, {"text": "Ho"}, "Hu"]},
        {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": None, "refusal": "No.", "audio": None, "weight": 1, "images": []},
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": CALL}]},
        {"role": "tool", "tool_call_id": "1", "content": "{}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
        {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}], "encrypted_content": "x"},
    ],
)
def test_what_is_known_to_be_text_counts_as_its_bytes(said: dict[str, Any]) -> None:
    assert prompt(messages=[said]) < 300
    assert prompt(input=[said]) < 300


def test_a_prompt_may_be_as_deep_as_it_likes() -> None:
    deep: object = "x" * 100
    for _ in range(800):
        deep = [deep]
    assert 100 <= prompt(input=deep) < 200


def test_what_is_no_json_further_down_is_refused() -> None:
    with pytest.raises(InnoError, match="not valid JSON"):
        bounds.prompt_tokens({"input": msgspec.Raw(b"[1e999]")}, None)


def test_the_longest_answer_is_the_models_or_one_that_can_be_asked_for() -> None:
    assert bounds.longest_answer(CHAT, None) == UNKNOWN_ANSWER
    assert bounds.longest_answer(CHAT, 16_384) == 16_384
    assert bounds.longest_answer("/v1/embeddings", 16_384) == 0


@pytest.mark.parametrize(
    ("path", "base_url", "member"),
    [
        (CHAT, "http://127.0.0.1:9000/v1", "max_tokens"),
        (CHAT, "https://api.openai.com/v1", "max_completion_tokens"),
        (CHAT, "https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        (CHAT, "https://API.OPENAI.COM/v1", "max_completion_tokens"),
        (CHAT, "https://eu.api.openai.com:443/v1", "max_completion_tokens"),
        (CHAT, "https://mine.cognitiveservices.azure.com/openai/v1", "max_completion_tokens"),
        (CHAT, "https://mine.services.ai.azure.com/openai/v1", "max_completion_tokens"),
        (CHAT, "https://mine.services.ai.azure.com/models", "max_tokens"),
        (CHAT, "https://gateway.ai.cloudflare.com/v1/acc/gate/openai", "max_completion_tokens"),
        (CHAT, "https://gateway.ai.cloudflare.com/v1/acc/gate/mistral", "max_tokens"),
        (CHAT, "https://api.openai.com.evil.example/v1", "max_tokens"),
        (CHAT, "https://models.example/openai.com/v1", "max_tokens"),
        (CHAT, "echo:", "max_tokens"),
        (COMPLETIONS, "https://api.openai.com/v1", "max_tokens"),
        (RESPONSES, "http://127.0.0.1:9000/v1", "max_output_tokens"),
    ],
)
def test_a_cap_has_the_name_that_the_server_knows(path: str, base_url: str, member: str) -> None:
    assert bounds.can_be_capped(path)
    assert bounds.cap_member(path, base_url) == member


def test_a_cap_has_the_name_that_the_operator_says() -> None:
    """As behind a proxy, which shows no vendor in its address."""
    proxy, openai = "https://proxy.example/v1", "https://api.openai.com/v1"
    assert bounds.cap_member(CHAT, proxy, "max_completion_tokens") == "max_completion_tokens"
    assert bounds.cap_member(CHAT, openai, "max_tokens") == "max_tokens"
    assert bounds.cap_member(COMPLETIONS, proxy, "max_completion_tokens") == "max_tokens"
    assert bounds.cap_member(RESPONSES, proxy, "max_completion_tokens") == "max_output_tokens"


def test_what_has_too_many_parts_to_count_is_bounded_by_its_bytes() -> None:
    many: list[list[Any]] = [[]] * (bounds.MOST_CONTAINERS + 1)
    assert prompt(messages=many) >= 8 * len(many)
    assert prompt(context_window=1000, messages=many) == 1000
