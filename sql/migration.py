"""The numbered migration files, and how a database stands to them. Pure but for reading the files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

_FILE_NAME = re.compile(r"^(?P<version>\d{4})_(?P<name>[a-z][a-z0-9_]*)\.sql$")


class MigrationError(Exception):
    """The database and the migration files do not fit together."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file, as it is in the package."""

    version: int  # from 1, without gaps
    name: str
    text: bytes

    @property
    def checksum(self) -> str:
        """Sha256 of the file's bytes, hexadecimal."""
        return hashlib.sha256(self.text).hexdigest()

    def __str__(self) -> str:
        """Name it as its file is named, without the ending."""
        return f"{self.version:04d}_{self.name}"


@dataclass(frozen=True, slots=True)
class Applied:
    """One row of schema_migration."""

    version: int
    name: str
    checksum: str

    def __str__(self) -> str:
        """Name it as its file is named, without the ending."""
        return f"{self.version:04d}_{self.name}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a database stands to the files."""

    pending: tuple[Migration, ...]  # in the order they will run
    changed: tuple[Applied, ...]  # ran, but their file is a different one now
    unknown: tuple[Applied, ...]  # ran, but this program has no such file: the database is newer

    def refuse_if_unsafe(self) -> None:
        """Refuse to build on a past that is not ours.

        Raises:
            MigrationError: a file changed after it ran, or the database is newer than this program.
        """
        if self.changed:
            raise MigrationError(
                f"changed after it ran on this database: {_listed(self.changed)}. Put the file back as it was "
                "and write a new migration for the change."
            )
        if self.unknown:
            raise MigrationError(
                f"the database has migrations this program does not know: {_listed(self.unknown)}. "
                "Install the program version that belongs to the database, or a newer one."
            )


def _listed(things: Sequence[Migration | Applied]) -> str:
    return ", ".join(str(thing) for thing in things)


def load_migrations(folder: Traversable | None = None) -> tuple[Migration, ...]:
    """Read every migration file, in order of version.

    Args:
        folder: where the files are; by default those of this package.

    Raises:
        MigrationError: a file is not named `NNNN_name.sql`, or the numbers are not 1, 2, 3 ...
    """
    migrations = []
    for file in (folder or files("sql") / "migrations").iterdir():
        match = _FILE_NAME.match(file.name)
        if match is None:
            raise MigrationError(
                f"migration files are named NNNN_name.sql, in lower case; this one is not: {file.name}"
            )
        migrations.append(Migration(int(match["version"]), match["name"], file.read_bytes()))
    migrations.sort(key=lambda migration: migration.version)
    if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise MigrationError(f"migration numbers must run from 0001 without gap or repetition: {_listed(migrations)}")
    return tuple(migrations)


def compare(migrations: Sequence[Migration], applied: Sequence[Applied]) -> Comparison:
    """Say what is left to run and what does not fit."""
    ran = {row.version: row for row in applied}
    known = {migration.version: migration for migration in migrations}
    return Comparison(
        pending=tuple(migration for migration in migrations if migration.version not in ran),
        changed=tuple(
            row
            for row in applied
            if (file := known.get(row.version)) and (file.checksum, file.name) != (row.checksum, row.name)
        ),
        unknown=tuple(row for row in applied if row.version not in known),
    )
