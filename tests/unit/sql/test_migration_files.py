"""The rules of migration files, and how a database stands to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sql.migration import Applied, Migration, MigrationError, compare, load_migrations

if TYPE_CHECKING:
    from pathlib import Path


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("select 1;")
    return folder


def test_the_package_s_own_files_keep_the_rules() -> None:
    migrations = load_migrations()
    assert [migration.version for migration in migrations] == list(range(1, len(migrations) + 1))
    assert len({migration.name for migration in migrations}) == len(migrations)


def test_every_migration_after_the_first_starts_as_the_owner() -> None:
    for migration in load_migrations():
        assert b"\nset local role thubon_owner;\n" in migration.text, migration


def test_files_are_ordered_by_number_not_by_listing(tmp_path: Path) -> None:
    folder = _write(tmp_path, "0002_b.sql", "0001_a.sql", "0003_c.sql")
    assert [str(migration) for migration in load_migrations(folder)] == ["0001_a", "0002_b", "0003_c"]


@pytest.mark.parametrize("name", ["1_a.sql", "0001-a.sql", "0001_A.sql", "0001_a.SQL", "0001_.sql", "notes.txt"])
def test_a_file_named_against_the_rule_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MigrationError, match="NNNN_name"):
        load_migrations(_write(tmp_path, name))


@pytest.mark.parametrize("names", [("0002_a.sql",), ("0001_a.sql", "0003_b.sql"), ("0001_a.sql", "0001_b.sql")])
def test_gaps_and_repeated_numbers_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(MigrationError, match="without gap"):
        load_migrations(_write(tmp_path, *names))


def test_a_comparison_names_what_is_pending_changed_and_unknown() -> None:
    one, two, three = (Migration(number, name, b"select 1;") for number, name in ((1, "a"), (2, "b"), (3, "c")))
    applied = [Applied(1, "a", one.checksum), Applied(2, "b", "0" * 64), Applied(9, "z", "0" * 64)]
    comparison = compare([one, two, three], applied)
    assert comparison.pending == (three,)
    assert comparison.changed == (applied[1],)
    assert comparison.unknown == (applied[2],)


def test_a_renamed_file_counts_as_changed() -> None:
    one = Migration(1, "new_name", b"select 1;")
    assert compare([one], [Applied(1, "old_name", one.checksum)]).changed


def test_a_changed_file_is_refused_with_its_name_and_the_way_out() -> None:
    comparison = compare([Migration(1, "a", b"select 2;")], [Applied(1, "a", "0" * 64)])
    with pytest.raises(MigrationError, match=r"0001_a.*new migration"):
        comparison.refuse_if_unsafe()


def test_a_newer_database_is_refused_with_the_way_out() -> None:
    with pytest.raises(MigrationError, match=r"0002_b.*newer"):
        compare([], [Applied(2, "b", "0" * 64)]).refuse_if_unsafe()
