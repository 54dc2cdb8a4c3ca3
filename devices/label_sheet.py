"""Labels to print and stick on devices: name, place, claim code in letters and as a QR code, on pages of A4."""

from __future__ import annotations

import base64
import hashlib
import io
from html import escape
from typing import TYPE_CHECKING, Any, Final

import segno

from devices.changes import device_record
from devices.claims import give_codes, give_new_code, shown_code
from devices.steps import Row, Steps, ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_LABELS: Final = 1_000
_STYLE: Final = (
    "@page{size:A4;margin:8mm}body{margin:0;font-family:sans-serif;color:#000;background:#fff}"
    "main{display:grid;grid-template-columns:repeat(3,62mm);gap:3mm}"
    "section{box-sizing:border-box;height:34mm;padding:2mm;border:.3mm solid #000;display:flex;gap:2mm;"
    "break-inside:avoid;overflow:hidden}"
    "svg{width:26mm;height:26mm;flex:none}p{margin:0 0 1mm;font-size:8pt;line-height:1.2;overflow-wrap:anywhere}"
    ".code{font-family:monospace;font-size:10pt;font-weight:bold}"
)
STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""Of the page's only style, for a content security policy."""


def labels_steps(
    town_id: str | None, site_id: str | None, device_ids: Sequence[str] | None, *, new_code: bool = False
) -> Steps[list[Row]]:
    """Rows of `labels` for devices in service, `MAX_LABELS` at most; those without a code get one.

    Args:
        town_id: only this town; None: any.
        site_id: only this site; None: any.
        device_ids: only these; None: any.
        new_code: void the codes of `device_ids` and give new ones, to be claimed anew.

    Raises:
        ChangeError: a device to get a new code is none.
    """
    ids = None if device_ids is None else list(device_ids)
    if new_code:
        for device_id in ids or ():
            yield from device_record(device_id)
            yield from give_new_code(device_id)
    which: dict[str, Any] = {"town_id": town_id, "site_id": site_id, "device_ids": ids, "limit": MAX_LABELS}
    without = yield from ask("without_code", **which)
    yield from give_codes([row["device_id"] for row in without])
    return (yield from ask("labels", **which))


def label_sheet(rows: Iterable[Mapping[str, Any]]) -> str:
    """A page of labels.

    Args:
        rows: device_id, name, site_name, profile, code.
    """
    labels = "".join(
        f"<section>{qr_svg(row['code'])}<div>"
        f'<p class="code">{shown_code(row["code"])}</p>'
        f"<p><b>{escape(row['device_id'])}</b></p><p>{escape(row['name'])}</p><p>{escape(row['site_name'])}</p>"
        f"<p>{escape(row['profile'])}</p></div></section>"
        for row in rows
    )
    return (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>Nhãn thiết bị / device labels</title>'
        f"<style>{_STYLE}</style></head><body><main>{labels}</main></body></html>"
    )


def qr_svg(code: str) -> str:
    """A claim code as a QR code, an SVG without size of its own; it holds `THUBON:<code>`."""
    out = io.BytesIO()
    segno.make_qr(f"THUBON:{code}", error="q").save(out, kind="svg", xmldecl=False, svgns=True, omitsize=True, nl=False)
    return out.getvalue().decode()
