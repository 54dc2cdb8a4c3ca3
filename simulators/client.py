"""One device's MQTT connection on the event loop, by paho-mqtt.

aiomqtt connects paho in a thread, whose late callbacks hit file descriptors that another connection of this process
has got meanwhile; with hundreds of connections coming back at once some of them then hang. Here a thread opens the
socket and nothing else, and paho lives on the event loop alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    import ssl

    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from simulators.messages import Message
    from simulators.settings import Broker

KEEP_ALIVE_S = 60
CONNECT_TIMEOUT_S = 10.0
ACK_TIMEOUT_S = 30.0
DISCONNECT_TIMEOUT_S = 2.0
MISC_INTERVAL_S = 5.0
"""How often paho looks whether a ping is due."""


class LostError(Exception):
    """There is no connection: it was refused, or it is gone. Connect anew, later."""


class _Paho(paho.Client):
    """paho on a socket that is open already."""

    given: socket.socket

    def _create_socket(self) -> socket.socket:
        return self.given


class DeviceClient:
    """An MQTT 3.1.1 connection with a last will; not to be used again after it is lost."""

    def __init__(self, broker: Broker, tls: ssl.SSLContext | None, client_id: str, will: Message) -> None:
        """Describe the connection; `connect` makes it.

        Args:
            broker: where to.
            tls: for mqtts, else None.
            client_id: MQTT client id.
            will: message the broker publishes when the connection breaks.
        """
        self._broker = broker
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[str] = self._loop.create_future()  # CONNACK: why refused, or empty
        self.lost: asyncio.Future[str] = self._loop.create_future()  # done as soon as the connection is gone: why
        self._open: dict[int, asyncio.Future[None]] = {}  # packet id -> waiting for its PUBACK
        self._misc: asyncio.TimerHandle | None = None
        self._paho = _Paho(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv311, reconnect_on_failure=False)
        self._paho.username_pw_set(broker.user, broker.password)
        self._paho.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_publish = self._on_publish
        self._paho.on_socket_open = self._on_socket_open
        self._paho.on_socket_close = self._on_socket_close
        self._paho.on_socket_register_write = self._on_register_write
        self._paho.on_socket_unregister_write = self._on_unregister_write

    async def connect(self) -> None:
        """Connect and log in.

        Raises:
            LostError: the broker cannot be reached, refuses, or does not answer in time.
        """
        try:
            self._paho.given = await self._loop.run_in_executor(None, self._open_socket)
        except OSError as error:
            raise LostError(str(error)) from error
        try:
            self._paho.connect(self._broker.host, self._broker.port, keepalive=KEEP_ALIVE_S)
            self._tick()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.wait({self._answered, self.lost}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self._close()
            raise LostError(f"no CONNACK within {CONNECT_TIMEOUT_S:g} s") from None
        except BaseException:
            self._close()
            raise
        refused = self._answered.result() if self._answered.done() else self.lost.result()
        if refused:
            self._close()
            raise LostError(refused)

    def _open_socket(self) -> socket.socket:
        opened = socket.create_connection((self._broker.host, self._broker.port), CONNECT_TIMEOUT_S)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(opened, server_hostname=self._broker.host) if self._tls else opened
        except BaseException:
            opened.close()
            raise

    async def publish(self, message: Message) -> None:
        """Publish at QoS 1; returns when the broker has acknowledged. Calls go out in the order they are made.

        Raises:
            LostError: the connection is gone, or the acknowledgement did not come in time.
        """
        info = self._paho.publish(message.topic, message.payload, qos=1, retain=message.retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise LostError(paho.error_string(info.rc))
        acknowledged = self._open[info.mid] = self._loop.create_future()
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                await acknowledged
        except TimeoutError:
            self._close()
            raise LostError(f"no PUBACK within {ACK_TIMEOUT_S:g} s") from None
        finally:
            self._open.pop(info.mid, None)

    async def disconnect(self) -> None:
        """Take leave of the broker, which then does not publish the will; safe on a connection that is gone."""
        if not self.lost.done():
            self._paho.disconnect()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                    await asyncio.wait({self.lost})
        self._close()

    def _close(self) -> None:
        """Let the connection go at once, without a word."""
        opened = self._paho.socket()
        if opened is not None:
            self._loop.remove_reader(opened)
            self._loop.remove_writer(opened)
            opened.close()
        self._end("closed")

    def _end(self, why: str) -> None:
        if self._misc is not None:
            self._misc.cancel()
            self._misc = None
        if not self.lost.done():
            self.lost.set_result(why)
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(LostError(why))

    def _tick(self) -> None:
        self._paho.loop_misc()
        if not self.lost.done():
            self._misc = self._loop.call_later(MISC_INTERVAL_S, self._tick)

    def _read(self) -> None:
        self._paho.loop_read()
        # TLS may hold bytes that the selector cannot see.
        opened = self._paho.socket()
        while opened is not None and getattr(opened, "pending", int)() > 0:
            self._paho.loop_read()
            opened = self._paho.socket()

    def _write(self) -> None:
        self._paho.loop_write()

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if not self._answered.done():
            self._answered.set_result(f"the broker refuses: {reason}" if reason.is_failure else "")

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._end(f"connection lost: {reason}")

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, _reason: ReasonCode, _properties: Properties
    ) -> None:
        waiting = self._open.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _on_socket_close(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        self._loop.remove_reader(opened)
        self._loop.remove_writer(opened)

    def _on_socket_open(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        self._loop.add_reader(opened, self._read)

    def _on_register_write(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        self._loop.add_writer(opened, self._write)

    def _on_unregister_write(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        self._loop.remove_writer(opened)
