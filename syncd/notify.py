"""Says to systemd how the daemon is: sd_notify(3), over the socket it names."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"


class Notifier:
    """Sends states to whoever started us; does nothing where nobody asked."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # An address that starts with @ is in the abstract namespace of Linux.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, *states: str) -> None:
        """Send states; a manager that went away is no reason to stop."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.sendto("\n".join(states).encode(), self._address)
