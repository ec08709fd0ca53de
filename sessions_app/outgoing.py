"""Sending to an address that a person typed, without becoming a way into the clinic's network.

The name is resolved once, each time something is sent; every address it has must be one of the
open internet; and the connection is made to the address that was checked, so that a name which
says something else a moment later leads nowhere. Redirects aren't followed, answers aren't read.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

PATIENCE = 5.0  # seconds, of each step
AT_MOST = 15.0  # seconds, of all of them: an answer that drips is cut off
PORTS = (443, 8443)
# Prefixes whose addresses carry an IPv4 address to which something may lead on.
CARRYING = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)


class NotTaken(Exception):
    """What was sent wasn't taken; the message is ours and holds nothing of the answer."""


class NotAllowed(NotTaken):
    """The address is one that nothing is sent to."""


def _is_internal(host: str) -> bool:
    return host.lower() in {name.lower() for name in settings.WEBHOOK_INTERNAL_HOSTS}


def checked(url: str) -> SplitResult:
    """The parts of an address that something may be sent to, as far as its text says.

    Raises
    ------
    NotAllowed
        Saying what is wrong, in words for whoever typed it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("This is no address.") from None
    if parts.scheme != "https" or not parts.hostname:
        raise NotAllowed("Begin the address with https://.")
    if parts.username or parts.password:
        raise NotAllowed("No name and password in the address: what is sent is signed.")
    if any(c in url for c in "\r\n\t #\\"):
        raise NotAllowed("No spaces, # or backslashes in the address.")
    if _is_internal(parts.hostname):
        return parts
    if port not in (None, *PORTS):
        raise NotAllowed("Only ports 443 and 8443, but for hosts that the settings name.")
    with suppress(ValueError):
        if not is_open(parts.hostname):
            raise NotAllowed(INSIDE)
    return parts


INSIDE = (
    "This address lies inside a network. If a system of the clinic is meant, whoever runs the "
    "server names its host in WEBHOOK_INTERNAL_HOSTS."
)


def is_open(text: str) -> bool:
    """Whether an IP address is one of the open internet.

    Raises
    ------
    ValueError
        When the text is no IP address.
    """
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif any(ip in network for network in CARRYING) or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotTaken("The name of the host isn't known.") from None
    addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
    if not _is_internal(host) and not all(is_open(one) for one in addresses):
        raise NotAllowed(INSIDE)
    return addresses


class _Pinned(http.client.HTTPSConnection):
    """TLS to an address that was checked, with the certificate of the name that was typed."""

    def __init__(self, host: str, port: int, address: str) -> None:
        self.trust = ssl.create_default_context(cafile=settings.WEBHOOK_CA_FILE or None)
        super().__init__(host, port, timeout=PATIENCE, context=self.trust)
        self.address = address

    def connect(self) -> None:
        line = socket.create_connection((self.address, self.port), PATIENCE)
        try:
            self.sock = self.trust.wrap_socket(line, server_hostname=self.host)
        except BaseException:
            line.close()
            raise

    def cut(self) -> None:
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a body once; an answer of 200 to 299 says that it was taken.

    Raises
    ------
    NotTaken
        Nobody answered, or with another status; a redirect is one of those.
    NotAllowed
        The address is inside a network, by its text or by what its name resolves to now.
    """
    parts = checked(url)
    host, port = parts.hostname or "", parts.port or 443
    line = _Pinned(host, port, _addresses(host, port)[0])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    watch = threading.Timer(AT_MOST, line.cut)
    watch.daemon = True
    watch.start()
    try:
        line.request("POST", path, body=body, headers=dict(headers))
        status = line.getresponse().status
    except ssl.SSLError:
        raise NotTaken("The certificate or the encryption wasn't accepted.") from None
    except (OSError, ValueError, http.client.HTTPException):
        raise NotTaken("Nobody answered.") from None
    finally:
        watch.cancel()
        line.close()
    if not 200 <= status < 300:
        raise NotTaken(f"The answer was {status}.")
