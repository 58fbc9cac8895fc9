"""Which of the keys in memory are an account's, or bound to a customer: what to forget when that changes."""

from __future__ import annotations


class Bindings:
    """Keys by whose they are. A customer's are nearly always one, which is kept without a set around it."""

    __slots__ = ("_bound",)

    def __init__(self) -> None:
        self._bound: dict[str, str | set[str]] = {}

    def add(self, owner: str, key: str) -> None:
        """The key is bound to that owner."""
        known = self._bound.setdefault(owner, key)
        if isinstance(known, set):
            known.add(key)
        elif known != key:
            self._bound[owner] = {known, key}

    def remove(self, owner: str, key: str) -> None:
        """The key is in memory no more."""
        known = self._bound.get(owner)
        if isinstance(known, set):
            known.discard(key)
            if not known:
                del self._bound[owner]
        elif known == key:
            del self._bound[owner]

    def of(self, owner: str) -> tuple[str, ...]:
        """The keys that are bound to that owner."""
        known = self._bound.get(owner, ())
        return (known,) if isinstance(known, str) else tuple(known)

    def __len__(self) -> int:
        return len(self._bound)

    def clear(self) -> None:
        """None is in memory."""
        self._bound.clear()
