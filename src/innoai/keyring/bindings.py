"""Which of the keys in memory are bound to a customer: what to forget when the customer changes."""

from __future__ import annotations


class Bindings:
    """Keys by customer. Nearly always that is one key, which is kept without a set around it."""

    __slots__ = ("_bound",)

    def __init__(self) -> None:
        self._bound: dict[str, str | set[str]] = {}

    def add(self, customer: str, key: str) -> None:
        """The key is bound to the customer."""
        known = self._bound.setdefault(customer, key)
        if isinstance(known, set):
            known.add(key)
        elif known != key:
            self._bound[customer] = {known, key}

    def remove(self, customer: str, key: str) -> None:
        """The key is in memory no more."""
        known = self._bound.get(customer)
        if isinstance(known, set):
            known.discard(key)
            if not known:
                del self._bound[customer]
        elif known == key:
            del self._bound[customer]

    def of(self, customer: str) -> tuple[str, ...]:
        """The keys that are bound to it."""
        known = self._bound.get(customer, ())
        return (known,) if isinstance(known, str) else tuple(known)

    def __len__(self) -> int:
        return len(self._bound)

    def clear(self) -> None:
        """None is in memory."""
        self._bound.clear()
