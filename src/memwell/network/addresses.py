"""Which addresses a request may go to: public ones, unless private ones are allowed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

from memwell.errors import InvalidInput, Unavailable

__all__ = ["is_public", "resolve"]

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet, also the IPv4 address inside an IPv6 one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(one is not None and not is_public(str(one)) for one in inner):
            return False
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int, *, private: bool) -> str:
    """An address of the host, to connect to: a second resolution could give another one. Raises `InvalidInput` if any
    of its addresses is not public, unless `private` ones are allowed, and `Unavailable` if it has none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"the host {host} cannot be resolved: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    refused = [address for address in addresses if not private and not is_public(address)]
    if refused:
        raise InvalidInput(f"{host} is {refused[0]}, an address of a private network, which is not allowed")
    return addresses[0]
