"""A phone as the room's microphone: this machine's address there, its certificate, a QR code."""

from __future__ import annotations

import io
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

import segno

from voice_kit.errors import VoiceKitError

COLUMNS = 80
NOT_THE_ROOM = ("docker", "br-", "veth", "virbr", "vmnet", "vbox", "lxc", "cni", "flannel")
TUNNELS = ("tun", "tap", "utun", "wg", "ppp", "tailscale", "zt")
AWAY = ("192.0.2.1", 9)
"""An address of nobody's (RFC 5737): asking for the way there sends nothing."""


@dataclass(frozen=True)
class Address:
    """One of this machine's IPv4 addresses, and the name of what it belongs to ("" unknown)."""

    ip: str
    interface: str = ""

    def __str__(self) -> str:
        return f"{self.ip} ({self.interface})" if self.interface else self.ip


@dataclass(frozen=True)
class Chosen:
    """The address that the phone is told."""

    address: Address
    why: str
    others: tuple[Address, ...]
    """Which could be meant instead; `--host` takes one of them."""


def choose(
    host: str = "", found: Sequence[Address] | None = None, way_out: str | None = None
) -> Chosen:
    """The address at which a phone in the same network reaches this machine.

    That is `host` where it is an address; else the one with the way out of here, unless that is
    a tunnel; else the first that belongs to no virtual machine. Raises `VoiceKitError`.
    """
    every = [each for each in (addresses() if found is None else found) if _private(each.ip)]
    if host and not _any_or_here(host):
        named = next((each for each in every if each.ip == host), Address(host))
        others = tuple(each for each in every if each != named)
        return Chosen(named, "it was asked for with --host", others)
    ranked = sorted(every, key=lambda each: _unlikely(each.interface))
    if not ranked:
        raise VoiceKitError(
            "This machine is in no local network. Join the one the phone is in, or name this "
            "machine's address there with --host."
        )
    likely = [each for each in ranked if not _unlikely(each.interface)]
    out = way_out_of_here() if way_out is None else way_out
    best = next((each for each in likely if each.ip == out), ranked[0])
    if best.ip == out:
        why = "it has the way out of this machine, as the phones around it have"
    elif len(ranked) == 1:
        why = "it is the only one in a local network"
    elif len(likely) == 1:
        why = "the others seem to be tunnels or virtual machines, which phones do not reach"
    else:
        why = "nothing tells which network the phone is in"
    return Chosen(best, why, tuple(each for each in ranked if each != best))


def addresses() -> list[Address]:
    """This machine's IPv4 addresses: from its network cards, by its name, and by the way out."""
    found: dict[str, Address] = {}
    for interface, ip in _cards():
        found.setdefault(ip, Address(ip, interface))
    try:
        of_name = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        of_name = []
    for ip in [str(each[4][0]) for each in of_name] + [way_out_of_here()]:
        if ip:
            found.setdefault(ip, Address(ip))
    return [each for each in found.values() if not ip_address(each.ip).is_loopback]


def way_out_of_here() -> str:
    """The address that this machine would send from, or "" where there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(AWAY)
        except OSError:
            return ""
        return str(asked.getsockname()[0])


def invitation(url: str, colours: bool | None = None) -> str:
    """A QR code of this address for a terminal of 80 columns, or "" where it is too long.

    White on black whatever the terminal's own colours are; without `colours` it is drawn light,
    for a dark background (a phone reads it on a light one too, most do).
    """
    code = segno.make_qr(url, error="l", boost_error=False)
    if code.symbol_size()[0] > COLUMNS:
        return ""
    drawn = io.StringIO()
    code.terminal(drawn, compact=True)
    lines = drawn.getvalue().splitlines()
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ if colours is None else colours:
        lines = [f"\x1b[97;40m{line}\x1b[0m" for line in lines]
    return "\n".join(lines) + "\n"


def _cards() -> list[tuple[str, str]]:
    """Names and addresses of network cards, where the system tells them this way."""
    ask = {"linux": 0x8915, "darwin": 0xC0206921}.get(sys.platform)  # SIOCGIFADDR
    if ask is None:
        return []
    import fcntl

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                told = fcntl.ioctl(asked.fileno(), ask, name.encode()[:15].ljust(256, b"\0"))
            except OSError:
                continue  # a card without an address
            found.append((name, socket.inet_ntoa(told[20:24])))
    return found


def _unlikely(interface: str) -> int:
    return 2 * interface.startswith(NOT_THE_ROOM) + interface.startswith(TUNNELS)


def _private(ip: str) -> bool:
    address = ip_address(ip)
    return isinstance(address, IPv4Address) and address.is_private and not address.is_loopback


def _any_or_here(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_unspecified or address.is_loopback
