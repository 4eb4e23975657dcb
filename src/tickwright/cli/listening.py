"""The socket the service listens on; without `insecure` only this machine can reach it."""

from __future__ import annotations

import errno
import ipaddress
import socket

from tickwright.model.errors import InvalidInput, TickwrightError

_BACKLOG = 2048


def listening_socket(host: str, port: int, *, insecure: bool) -> socket.socket:
    """A socket that listens already, so that no other process can take the port any more."""
    family, address = _resolved(host, port)
    if not insecure and not ipaddress.ip_address(address[0].partition("%")[0]).is_loopback:
        raise InvalidInput(
            "host",
            f"{host!r} can be reached from other machines, and nobody is asked who they are; "
            "listen on 127.0.0.1, or allow it with --insecure (TICKWRIGHT_INSECURE=1)",
        )
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        used = error.errno == errno.EADDRINUSE
        reason = "is already in use" if used else f"cannot be used: {error.strerror}"
        raise TickwrightError(f"port {port} on {host} {reason}") from None
    sock.setblocking(False)
    return sock


def url_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"http://{host}:{port}"


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, ...]]:
    flags = socket.AI_PASSIVE | socket.AI_NUMERICSERV
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError) as error:
        raise InvalidInput("host", f"{host!r} cannot be resolved: {error}") from None
    family, *_, address = found[0]
    return family, address  # type: ignore[return-value]
