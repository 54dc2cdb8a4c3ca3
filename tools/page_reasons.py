"""Copy the texts of devices.reasons into the page, which tells an operator why readings were refused and what mends it.

    python tools/page_reasons.py

tests/unit/test_page_texts.py fails until this has run after a change of the texts.
"""

import json
from dataclasses import asdict
from pathlib import Path

from devices.reasons import REASON_TEXTS

TARGET = Path(__file__).parent.parent / "api" / "dashboard" / "src" / "assets" / "reasons.json"

if __name__ == "__main__":
    texts = {reason.value: asdict(text) for reason, text in REASON_TEXTS.items()}
    TARGET.write_text(json.dumps(texts, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(texts)} reasons")
