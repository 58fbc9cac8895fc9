from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from innoai.store import api_keys, customers
from tests.support.stores import ACCOUNT, NOW, add_customer, add_key

if TYPE_CHECKING:
    from innoai.store.database import Database

NAMES = (
    "École Zürich",
    "Ecole Zurich",
    "Пример 日本",
    "ΟΔΟΣ 1",
    "100% [a-z]* ?",
    "a_b\\c. (d)|{2}+^$",
    "x" * 199 + "Ñ",
    "***: dots ]",
    "Straße",
)


async def found(database: Database, search: str) -> set[str]:
    """The names that a search for keys finds; one for customers finds the same."""
    async with database.read() as connection:
        of_keys = await api_keys.page(
            connection,
            ACCOUNT.id,
            limit=100,
            before=None,
            status=None,
            customer_id=None,
            search=search,
            now=NOW,
        )
        of_customers = await customers.page(
            connection, ACCOUNT.id, limit=100, before=None, only=None, search=search
        )
    names = {key.name for key in of_keys}
    assert names == {customer.name for customer in of_customers}
    return names


@pytest.fixture
async def named(database: Database) -> Database:
    """A store with a key and a customer of each name, and a customer of none."""
    async with database.write() as connection:
        for number, name in enumerate(NAMES):
            await add_key(connection, number, name=name)
            await add_customer(connection, number, name=name)
        await add_customer(connection, len(NAMES))
    return database


async def test_a_name_is_found_by_a_part_of_it_in_any_case(named: Database) -> None:
    for part in ("éCOLE", "école zÜ", "ZÜRICH", "ÉCOLE ZÜRICH"):
        assert await found(named, part) == {"École Zürich"}
    assert await found(named, "zUrIch") == {"Ecole Zurich"}
    assert await found(named, "пРИМЕР 日") == {"Пример 日本"}
    assert await found(named, "οδο") == {"ΟΔΟΣ 1"}
    assert await found(named, "STRAß") == {"Straße"}


async def test_every_name_is_found_by_itself_whatever_stands_in_it(named: Database) -> None:
    for name in NAMES:
        assert await found(named, name) == {name}
        swapped = "".join(letter if letter == "ß" else letter.swapcase() for letter in name)
        assert await found(named, swapped) == {name}


async def test_nothing_in_a_search_means_anything_but_itself(named: Database) -> None:
    assert await found(named, "%") == {"100% [a-z]* ?"}
    assert await found(named, "*") == {"100% [a-z]* ?", "***: dots ]"}
    assert await found(named, "_") == await found(named, "\\") == {NAMES[5]}
    for pattern in (
        "[a-z] ",
        "x.x",
        "É?",
        "^É",
        "Zürich$",
        "(École)",
        "(?i)x",
        "\\m",
        "[[:alpha:]]",
        "***:x",
        "x{2}",
    ):
        assert await found(named, pattern) == set()


async def test_a_customer_is_found_by_a_part_of_its_id_in_any_case(named: Database) -> None:
    async with named.read() as connection:
        one = await customers.page(
            connection, ACCOUNT.id, limit=100, before=None, only=None, search="STOMER-3"
        )
    assert [customer.customer_id for customer in one] == ["customer-3"]
