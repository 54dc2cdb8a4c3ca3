"""Copy what the page must know of the catalogue into it: the texts of devices.reasons, and the device profiles.

    python tools/page_texts.py

tests/unit/test_page_texts.py fails until this has run after a change of either.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devices.profiles import load_catalogue
from devices.reasons import REASON_TEXTS

TARGET = Path(__file__).parent.parent / "api" / "dashboard" / "src" / "assets"


def texts() -> dict[str, Any]:
    """Content by file name."""
    return {
        "reasons.json": {reason.value: asdict(text) for reason, text in REASON_TEXTS.items()},
        "profiles.json": [
            {"id": profile.profile_id, "domain": profile.domain, "name": asdict(profile.name)}
            for profile in load_catalogue().values()
        ],
    }


if __name__ == "__main__":
    for name, content in texts().items():
        (TARGET / name).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        print(f"{TARGET / name}: {len(content)}")
