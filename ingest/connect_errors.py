"""Why a broker refuses us or cannot be reached, in words that name the setting to look at."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import mqtt5

_LOGIN: Final = "look at user and password: THUBON_BROKER_USERNAME, THUBON_BROKER_PASSWORD or THUBON_BROKER_URL"
_ADVICE: Final = {  # by name: the codec's codes cannot be keys
    "BAD_USER_NAME_OR_PASSWORD": _LOGIN,
    "NOT_AUTHORIZED": _LOGIN,
    "CLIENT_ID_NOT_VALID": "look at THUBON_INGEST_WORKER and at who may use this client id",
    "BANNED": "ask who runs the broker",
    "UNSUPPORTED_PROTOCOL_VERSION": "it has to speak MQTT 5",
}


def refusal(connack: mqtt5.ConnAckPacket) -> str:
    """Why the broker did not take the connection."""
    said = connack.reason_code.name.lower().replace("_", " ")
    return "; ".join(part for part in (said, connack.reason_str, _ADVICE.get(connack.reason_code.name)) if part)


def obstacle(error: Exception) -> str:
    """Why no connection came about, or why it ended."""
    match error:
        case ssl.SSLCertVerificationError():
            text = (
                f"its certificate is not trusted ({error.verify_message});"
                " THUBON_BROKER_CA_FILE names the authority to trust, and the host has to stand in the certificate"
            )
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            text = "it does not speak TLS at this port; look at scheme and port of THUBON_BROKER_URL"
        case socket.gaierror():
            text = f"unknown host ({error.strerror}); look at THUBON_BROKER_URL"
        case ConnectionRefusedError():
            text = "nothing listens at this port"
        case TimeoutError():
            text = "no answer in time"
        case _ if "CERTIFICATE_REQUIRED" in str(error):
            text = "it asks for a client certificate: THUBON_BROKER_CERTIFICATE_FILE and THUBON_BROKER_KEY_FILE"
        case _:
            text = f"{type(error).__name__}: {error}"
    return text
