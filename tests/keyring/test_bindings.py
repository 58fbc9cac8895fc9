from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from innoai.keyring.bindings import Bindings

steps = st.lists(
    st.tuples(st.sampled_from(("add", "remove")), st.sampled_from("AB"), st.sampled_from("abc")), max_size=20
)


@given(steps)
def test_the_keys_of_a_customer_are_those_added_and_not_removed(steps: list[tuple[str, str, str]]) -> None:
    bindings, expected = Bindings(), dict[str, set[str]]()
    for step, customer, key in steps:
        if step == "add":
            bindings.add(customer, key)
            expected.setdefault(customer, set()).add(key)
        else:
            bindings.remove(customer, key)
            expected.get(customer, set()).discard(key)
        assert {name: set(bindings.of(name)) for name in "AB"} == {
            name: expected.get(name, set()) for name in "AB"
        }
    assert len(bindings) == sum(map(bool, expected.values()))
    bindings.clear()
    assert bindings.of("A") == ()
