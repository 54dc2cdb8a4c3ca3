"""Documents and code say the same: what can be set, seen or called is documented, what is named exists."""

from __future__ import annotations

import re
import subprocess
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any

import pytest
from pydantic_settings import BaseSettings

from api.main import create_app
from api.metrics import METRICS
from api.settings import ApiSettings
from api.views.site import make_site_router
from devices.profiles import load_catalogue
from devices.reasons import REASON_TEXTS, Reason
from ingest import metrics as ingest_metrics
from ingest.route import subscriptions
from ingest.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
TRACKED = frozenset(
    subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
)
DOCUMENTS = sorted(ROOT / name for name in TRACKED if name.endswith(".md") and (ROOT / name).exists())
FOLDERS = frozenset(str(parent) for name in TRACKED for parent in Path(name).parents)
NAMES = frozenset(Path(name).name for name in TRACKED)

HEADINGS = {
    "WorkerSettings": "Ingest worker",
    "AggregatorSettings": "Aggregator",
    "ApiSettings": "API",
    "RegistrySettings": "Registry (`python -m devices`)",
    "BrokerSettings": "Accounts of the broker (`python -m devices broker`)",
    "SimulatorSettings": "Simulators",
    "MigrateSettings": "Migrations (`python -m sql.migrate`)",
}
"""Class of a program's settings -> where the README has their table."""
PROGRAMS = ("ingest", "api", "devices", "simulators", "sql.migrate")
# What a document may name though the repository does not hold it: made by commands, or an example of a reader's own.
MADE = re.compile(r"^(\.venv|\.demo|\.secrets|backups|dist)(/|$)|^src/|^/(run|etc|usr)/")
PLACEHOLDERS = frozenset({"THUBON_NAME_PASSWORD", "THUBON_NAME_PASSWORD_FILE"})


def _settings_classes() -> dict[str, type[BaseSettings]]:
    """The classes that programs read; one that others inherit from is described by them."""
    for package in ("ingest", "api", "devices", "simulators", "sql"):
        for module in walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    found, waiting = {}, list(BaseSettings.__subclasses__())
    while waiting:
        each = waiting.pop()
        waiting += each.__subclasses__()
        ours = each.__module__.partition(".")[0] in {"ingest", "api", "devices", "simulators", "sql"}
        if ours and not each.__subclasses__():
            found[each.__name__] = each
    return found


SETTINGS = _settings_classes()


def _section(text: str, heading: str) -> str:
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,3}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading '{heading}'"
    return found[2]


def _paragraph(text: str, name: str) -> str:
    found = re.search(rf"^\*\*`{re.escape(name)}`\*\*.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/operating.md has no paragraph for {name}"
    return found[0]


def _fields(settings: type[BaseSettings]) -> Iterator[tuple[str, Any]]:
    for name, field in settings.model_fields.items():
        yield (field.alias or f"THUBON_{name.upper()}"), field


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    match field.default:
        case None:
            return "none"
        case bool():
            return "`yes`" if field.default else "`no`"
        case float():
            return f"`{field.default:g}`"
        case _:
            return f"`{field.default}`"


def _without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _sources() -> Iterator[tuple[str, str]]:
    folders = ("ingest/", "api/", "devices/", "simulators/", "sql/", "tools/", "images/", "tests/")
    files = {"compose.yaml", "Makefile", "Dockerfile", "hatch_build.py"}
    for name in sorted(TRACKED):
        path = ROOT / name
        text_file = path.suffix in {"", ".py", ".sh", ".sql", ".yaml", ".conf"}
        if (name in files or name.startswith(folders)) and text_file and path.is_file():
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("program", sorted(SETTINGS))
def test_every_setting_of_a_program_stands_in_its_table_with_its_default(program: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", _section(README, HEADINGS[program]), re.MULTILINE)
    documented = {name: default for name, default, _ in rows}
    assert documented == {name: _default(field) for name, field in _fields(SETTINGS[program])}


def test_every_setting_that_occurs_is_documented_and_every_one_documented_occurs() -> None:
    names = r"\b(?:THUBON_[A-Z_]*[A-Z]|TIMESCALEDB_IMAGE)\b(?![_*])"
    used = {name: file for file, text in _sources() for name in re.findall(names, text)}
    known = {name for settings in SETTINGS.values() for name, _ in _fields(settings)}
    rows = set(re.findall(names, "\n".join(re.findall(r"^\| (`[^|]*) \|", _section_of_settings(), re.MULTILINE))))
    missing = {name: file for name, file in used.items() if name not in rows | PLACEHOLDERS}
    assert not missing, "used and not in README's settings"
    for document in DOCUMENTS:
        named = set(re.findall(names, document.read_text(encoding="utf-8")))
        assert named <= set(used) | known, document.name
    assert rows <= set(used) | known


def _section_of_settings() -> str:
    return README.split("\n## Settings\n")[1].split("\n## ")[0]


def _metric_names() -> list[str]:
    """Names as Prometheus sees them."""
    sources = "\n".join(text for name, text in _sources() if name.startswith(("ingest/", "devices/")))
    declared = re.findall(r'\b(Counter|Gauge|Histogram)\(\s*"(thubon_\w+)"', sources)
    return [f"{name}_total" if kind == "Counter" else name for kind, name in declared] + [each.name for each in METRICS]


def test_the_metrics_of_the_worker_are_found() -> None:
    collected = ingest_metrics.Metrics().registry.collect()
    assert {f"{each.name}_total" if each.type == "counter" else each.name for each in collected} <= set(_metric_names())


@pytest.mark.parametrize("name", [*_metric_names(), *Reason])
def test_every_metric_and_reason_has_a_paragraph_with_meaning_cause_and_cure(name: str) -> None:
    meaning, cause, cure = _paragraph(OPERATING, name).split("\n", 2)
    assert len(meaning) > len(f"**`{name}`**: ")
    assert cause.startswith("Cause: ")
    assert cure.startswith("To do: ")


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_means_there_what_the_platform_says(reason: Reason) -> None:
    assert _paragraph(OPERATING, reason).startswith(f"**`{reason}`**: {REASON_TEXTS[reason].meaning.en}\n")


def test_no_document_names_a_metric_or_a_reason_that_is_gone() -> None:
    for document in DOCUMENTS:
        named = set(
            re.findall(
                r"`(thubon_(?:ingest|aggregator|api|database|broker|identity|certificate|certificates)_\w+)`",
                document.read_text(encoding="utf-8"),
            )
        )
        roles = {
            "thubon_identity_login",
            "thubon_ingest",
            "thubon_ingest_login",
            "thubon_registry_login",
            "thubon_read_login",
        }
        assert named - roles <= set(_metric_names()), document.name
    reasons = re.findall(r"^\*\*`([a-z0-9-]+)`\*\*", OPERATING, re.MULTILINE)
    assert sorted(reasons) == sorted(Reason)


def test_every_http_path_stands_in_the_readme() -> None:
    app = create_app(ApiSettings(read_database_url="postgresql://reader@127.0.0.1/thubon", api_token="x" * 32))
    rows = re.findall(r"^\| `([^`]+)` \|", _section(README, "HTTP paths"), re.MULTILINE)
    assert sorted(rows) == sorted([*app.openapi()["paths"], "/"])
    described_at = {"/docs", "/openapi.json"}
    served = {path for route in app.routes if (path := getattr(route, "path", ""))}
    served |= {path for route in make_site_router().routes if (path := getattr(route, "path", ""))}
    assert described_at <= served
    assert described_at <= set(re.findall(r"`([^`]+)`", _section(README, "HTTP paths")))


def test_no_document_names_an_http_path_that_is_not_served() -> None:
    app = create_app(ApiSettings(read_database_url="postgresql://reader@127.0.0.1/thubon", api_token="x" * 32))
    # {device}, <device> and an example such as lac-5 all stand for one part.
    served = [re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(path)) for path in app.openapi()["paths"]]
    for document in DOCUMENTS:
        for path in re.findall(r"(?<!thubon)(/v1/[^\s`?)\"'|,]+)", document.read_text(encoding="utf-8")):
            assert any(re.fullmatch(pattern, path.rstrip("./")) for pattern in served), f"{document.name}: {path}"


def test_every_topic_stands_in_the_readme() -> None:
    rows = re.findall(r"^\| `(thubon/[^`]+)` \|", _section(README, "MQTT topics"), re.MULTILINE)
    assert set(subscriptions()) <= {re.sub(r"<\w+>", "+", row) for row in rows}


def test_every_make_target_is_documented_and_every_one_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE))
    assert {f"make {target}" for target in targets} <= set(re.findall(r"make [a-z]+", _section(README, "Commands")))
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:`|^\$ |^|time )make ([a-z]+)", text, re.MULTILINE))
        assert named <= targets, document.name


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_and_its_commands_stand_in_the_readme(program: str) -> None:
    rows = "\n".join(re.findall(rf"^\| (`python -m {program}.*?) \|", _section(README, "Commands"), re.MULTILINE))
    assert rows
    if program == "api":
        return
    files = [ROOT / "sql" / "migrate.py"] if "." in program else sorted((ROOT / program).glob("*.py"))
    commands = re.findall(r'add_parser\(\s*"([a-z-]+)"', "\n".join(file.read_text(encoding="utf-8") for file in files))
    assert commands
    assert set(commands) <= set(re.findall(r"[a-z-]+", rows))


def test_every_program_a_document_names_exists() -> None:
    for document in DOCUMENTS:
        for module in set(re.findall(r"python -m ([a-z_.]+[a-z])", document.read_text(encoding="utf-8"))):
            if module == "pytest":
                continue
            found = ROOT / module.replace(".", "/")
            assert (found / "__main__.py").exists() or found.with_suffix(".py").exists(), f"{document.name}: {module}"


def test_every_device_profile_is_named_in_the_installers_guide() -> None:
    guide = (ROOT / "docs" / "integrating.md").read_text(encoding="utf-8")
    assert all(f"`{profile}`" in guide for profile in load_catalogue())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_it_names_exists(document: Path) -> None:
    text = _without_blocks(document.read_text(encoding="utf-8"))
    for name in re.findall(r"`([\w./*-]*[\w/*])`", text):
        if MADE.match(name) or "*" in name or not _is_a_file_name(name):
            continue
        places = (ROOT / name, document.parent / name)
        assert any(place.exists() for place in places) or name in NAMES, f"{document.name}: {name}"


def _is_a_file_name(name: str) -> bool:
    """Whether a word in code font means a file of ours: below one of our folders, or with an ending of ours."""
    if name.startswith(("/", "thubon/")):
        return False
    top = name.split("/", maxsplit=1)[0]
    if "/" in name and (top in FOLDERS or top in {"docs", "tools"}):
        return True
    return bool(re.fullmatch(r"[\w./-]+\.(py|sh|sql|md|yaml|toml|lock|conf|ts|html)", name))


def test_the_project_structure_shows_what_is_there() -> None:
    (block,) = re.findall(r"^```\n(.*?)^```", _section(README, "Project structure"), re.MULTILINE | re.DOTALL)
    parents: list[tuple[int, str]] = []
    for line in block.splitlines():
        indent = len(line) - len(line.lstrip())
        while parents and parents[-1][0] >= indent:
            parents.pop()
        names = re.split(r" {2,}", line.strip())[0].split(", ")
        for name in names:
            path = ROOT / "/".join([*(part.rstrip("/") for _, part in parents), name])
            assert path.exists(), f"{line!r}: {path}"
        parents.append((indent, names[0]))
    shown = {line.split()[0].rstrip("/") for line in block.splitlines() if line and not line.startswith(" ")}
    folders = {name.split("/")[0] for name in TRACKED if "/" in name and not name.startswith(".")}
    assert folders <= shown, "folders the README does not show"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_blocks(document.read_text(encoding="utf-8"))):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), f"{document.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{document.name}: {target}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("record", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_five_headings_and_stands_in_the_index(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert text.startswith(f"# {record.stem[:4]}: ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert {"Context", "Alternatives", "Measured", "Decision", "Consequences"} <= set(headings)
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert f"| [{record.stem[:4]}]({record.name}) |" in index


def test_no_number_of_a_decision_is_used_twice_and_every_one_named_in_the_code_exists() -> None:
    numbers = [record.stem[:4] for record in DECISIONS]
    assert sorted(set(numbers)) == numbers
    named = {(name, file) for file, text in _sources() for name in re.findall(r"docs/decisions/[\w-]+\.md", text)}
    assert not [(name, file) for name, file in named if not (ROOT / name).exists()]


def test_the_operators_bound_of_the_broker_is_the_brokers() -> None:
    settings = dict(
        line.split(maxsplit=1)
        for line in (ROOT / "images" / "broker" / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
        if " " in line and not line.startswith("#")
    )
    section = _section(OPERATING, "How long the broker holds data")
    messages = int(settings["max_queued_messages"])
    assert f"{messages:,} messages (`max_queued_messages`)" in section
    assert int(settings["max_queued_bytes"]) == 1024**3
    assert f"{int(settings['max_queued_bytes']) // messages + 1} bytes" in section
    session_s = WorkerSettings.model_fields["session_expiry_s"].default
    rows = re.findall(r"^\| ([\d,]+) \| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert rows
    unit_s = {"min": 60, "h": 3_600, "days": 86_400}
    for devices, *cells in rows:
        for interval_s, cell in zip((10, 60, 300), cells, strict=True):
            figure, unit = cell.split()
            held_s = min(messages * interval_s / int(devices.replace(",", "")), session_s)
            assert float(figure) * unit_s[unit] == pytest.approx(held_s, rel=0.04), f"{devices} every {interval_s} s"
