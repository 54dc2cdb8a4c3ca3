"""One device's MQTT connection on the event loop, by paho-mqtt.

aiomqtt connects paho in a thread, whose late callbacks hit file descriptors that another connection of this process
has got meanwhile; with hundreds of connections coming back at once some of them then hang. Here a thread opens the
socket and nothing else, and paho lives on the event loop alone.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from simulators.link import ACK_TIMEOUT_S, CONNECT_TIMEOUT_S, KEEP_ALIVE_S, LostError
from simulators.waiting import Waiting

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from simulators.link import Link, QoS
    from simulators.messages import Message

MISC_INTERVAL_S = 5.0
"""How often paho looks whether a ping is due."""


class _Paho(paho.Client):
    """paho on a socket that is open already."""

    given: socket.socket

    def _create_socket(self) -> socket.socket:
        return self.given


class DeviceClient(Waiting):
    """An MQTT 3.1.1 or 5 connection with a last will (see `simulators.link.Client`)."""

    def __init__(self, link: Link, device_id: str, will: Message | None) -> None:
        """Describe the connection; `connect` makes it.

        Args:
            link: where to and how.
            device_id: whose connection it is.
            will: message the broker publishes when the connection breaks; None: it says nothing then.
        """
        super().__init__()
        self._broker = link.broker
        self._link = link
        self._device_id = device_id
        self._answered: asyncio.Future[str] = self._loop.create_future()  # CONNACK: why refused, or empty
        version = paho.MQTTv5 if link.version == "5" else paho.MQTTv311
        self._paho = _Paho(
            CallbackAPIVersion.VERSION2, link.client_id(device_id), protocol=version, reconnect_on_failure=False
        )
        account = link.account(device_id)
        self._paho.username_pw_set(account.username, account.password)
        if will is not None:
            self._paho.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_publish = self._on_publish
        self._paho.on_socket_open = self._on_socket_open
        self._paho.on_socket_close = self._on_socket_close
        self._paho.on_socket_register_write = self._on_register_write
        self._paho.on_socket_unregister_write = self._on_unregister_write

    async def connect(self) -> None:
        """Connect and log in."""
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
            self.abort()
            raise LostError(f"no CONNACK within {CONNECT_TIMEOUT_S:g} s") from None
        except BaseException:
            self.abort()
            raise
        refused = self._answered.result() if self._answered.done() else self.lost.result()
        if refused:
            self.abort()
            raise LostError(refused)

    def _open_socket(self) -> socket.socket:
        door = self._link.door(self._device_id)
        opened = socket.create_connection((self._broker.host, door.port), CONNECT_TIMEOUT_S)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return door.tls.wrap_socket(opened, server_hostname=self._broker.host) if door.tls else opened
        except BaseException:
            opened.close()
            raise

    async def publish(self, message: Message, qos: QoS) -> int:
        """Publish, and wait for the acknowledgement."""
        info = self._paho.publish(message.topic, message.payload, qos=qos, retain=message.retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise LostError(paho.error_string(info.rc))
        if info.is_published():  # at QoS 0 there is nothing to wait for
            return 0
        acknowledged = self._open[info.mid] = self._loop.create_future()
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                code: int = await acknowledged
                return code
        except TimeoutError:
            self.abort()
            raise LostError(f"no acknowledgement within {ACK_TIMEOUT_S:g} s") from None
        finally:
            self._open.pop(info.mid, None)

    async def disconnect(self) -> None:
        """Take leave of the broker."""
        if not self.lost.done():
            self._paho.disconnect()
            await self._until_lost()
        self.abort()

    def abort(self) -> None:
        """Let the connection go at once, without a word."""
        opened = self._paho.socket()
        if opened is not None and opened.fileno() >= 0:
            self._loop.remove_reader(opened)
            self._loop.remove_writer(opened)
            opened.close()
        self._end("closed")

    def _tick(self) -> None:
        self._paho.loop_misc()
        if not self.lost.done():
            self._timer = self._loop.call_later(MISC_INTERVAL_S, self._tick)

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
        self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        waiting = self._open.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason.value)

    def _on_socket_close(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        if opened.fileno() >= 0:  # one that was aborted is closed already when paho lets it go
            self._loop.remove_reader(opened)
            self._loop.remove_writer(opened)

    def _on_socket_open(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        self._loop.add_reader(opened, self._read)

    def _on_register_write(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        self._loop.add_writer(opened, self._write)

    def _on_unregister_write(self, _client: paho.Client, _data: Any, opened: Any) -> None:
        self._loop.remove_writer(opened)
