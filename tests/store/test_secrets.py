from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from innoai.access import keys
from innoai.config import MIN_SECRET_BYTES, ConfigError, Settings, StoreSettings
from innoai.store import secrets as store_secrets
from innoai.store.secrets import Secrets
from tests.support.stores import new_key

if TYPE_CHECKING:
    from pathlib import Path

OLD = b"the old secret of this installation, long"
NEW = b"the new secret of this installation, long"

LOAD = """
import sys
from innoai.config import Settings, StoreSettings
from innoai.store import secrets
print("ready", flush=True)
sys.stdin.readline()
loaded = secrets.load(Settings(store=StoreSettings(secret_file=sys.argv[1])), create=True)
print(loaded.current.version)
"""


def settings(file: Path, **changed: str | None) -> Settings:
    return Settings(store=StoreSettings(secret_file=str(file)), **changed)  # type: ignore[arg-type]


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=500), st.text(max_size=50))
def test_what_was_sealed_opens_again(plaintext: bytes, purpose: str) -> None:
    secrets = Secrets(OLD)
    assert secrets.open(secrets.seal(plaintext, purpose), purpose) == plaintext


def test_a_sealed_value_does_not_open_for_another_purpose() -> None:
    secrets = Secrets(OLD)
    sealed = secrets.seal(b"webhook secret", "endpoint whe_1")
    with pytest.raises(ConfigError):
        secrets.open(sealed, "endpoint whe_2")


def test_the_same_value_is_sealed_differently_each_time() -> None:
    secrets = Secrets(OLD)
    assert secrets.seal(b"value", "purpose") != secrets.seal(b"value", "purpose")


def test_a_sealed_value_does_not_show_what_is_in_it() -> None:
    assert b"webhook secret" not in Secrets(OLD).seal(b"webhook secret", "purpose")


@hypothesis_settings(deadline=None)
@given(st.data())
def test_a_sealed_value_that_was_changed_anywhere_does_not_open(data: st.DataObject) -> None:
    secrets = Secrets(OLD)
    sealed = bytearray(secrets.seal(b"value", "purpose"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ConfigError):
        secrets.open(bytes(sealed), "purpose")


def test_after_a_change_of_secret_what_the_previous_sealed_still_opens() -> None:
    sealed = Secrets(OLD).seal(b"value", "purpose")
    assert Secrets(NEW, OLD).open(sealed, "purpose") == b"value"


def test_after_a_change_of_secret_new_values_need_the_new_one_alone() -> None:
    sealed = Secrets(NEW, OLD).seal(b"value", "purpose")
    assert Secrets(NEW).open(sealed, "purpose") == b"value"


def test_a_wrong_secret_is_told_with_its_remedy_and_without_the_secret() -> None:
    sealed = Secrets(OLD).seal(b"value", "purpose")
    with pytest.raises(ConfigError, match="INNOAI_SECRET_PREVIOUS") as refused:
        Secrets(NEW).open(sealed, "purpose")
    assert "\n" not in str(refused.value)
    assert NEW.decode() not in str(refused.value)


def test_a_key_is_looked_for_under_the_current_pepper_and_then_the_previous() -> None:
    key = new_key(1)
    peppers = [Secrets(secret).current.pepper for secret in (NEW, OLD)]
    assert Secrets(NEW, OLD).digests(key) == [keys.digest(key, pepper) for pepper in peppers]
    assert len(set(Secrets(NEW, OLD).digests(key))) == 2


def test_secrets_do_not_show_in_a_repr() -> None:
    secrets = Secrets(OLD, NEW)
    assert repr(secrets.current) == f"Derived(version={secrets.current.version!r})"


def test_init_makes_a_secret_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "innoai.secret"
    store_secrets.load(settings(file), create=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes().strip()) >= MIN_SECRET_BYTES


def test_a_secret_file_that_is_there_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "innoai.secret"
    made = store_secrets.load(settings(file), create=True).current.version
    content = file.read_bytes()
    assert store_secrets.load(settings(file), create=True).current.version == made
    assert store_secrets.load(settings(file), create=False).current.version == made
    assert file.read_bytes() == content


def test_processes_that_make_the_file_at_once_get_one_secret(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", LOAD, str(tmp_path / "innoai.secret")]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    versions = set()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        versions.add(process.communicate(timeout=60)[0])
        assert process.returncode == 0
    assert len(versions) == 1


def test_a_file_that_init_was_killed_over_is_made_whole(tmp_path: Path) -> None:
    file = tmp_path / "innoai.secret"
    file.touch(0o600)
    version = store_secrets.load(settings(file), create=True).current.version
    assert store_secrets.load(settings(file), create=False).current.version == version


def test_the_environments_secret_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "innoai.secret"
    loaded = store_secrets.load(settings(file, secret=OLD.decode()), create=True)
    assert loaded.current.version == Secrets(OLD).current.version
    assert not file.exists()


def test_the_previous_secret_counts_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "innoai.secret"
    file.write_bytes(NEW + b"\n")
    loaded = store_secrets.load(settings(file, previous_secret=OLD.decode()), create=False)
    assert loaded.open(Secrets(OLD).seal(b"value", "purpose"), "purpose") == b"value"
    assert loaded.current.version == Secrets(NEW).current.version


def test_a_missing_file_is_told_with_its_remedy(tmp_path: Path) -> None:
    file = tmp_path / "innoai.secret"
    with pytest.raises(ConfigError, match="innoai init") as refused:
        store_secrets.load(settings(file), create=False)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_with_too_short_a_secret_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "innoai.secret"
    file.write_bytes(b"short\n")
    with pytest.raises(ConfigError, match=f"5 bytes; it needs at least {MIN_SECRET_BYTES}"):
        store_secrets.load(settings(file), create=True)


def test_a_place_where_no_file_can_be_made_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set INNOAI_SECRET or store\.secret_file"):
        store_secrets.load(settings(tmp_path / "nowhere" / "innoai.secret"), create=True)
