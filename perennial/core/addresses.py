"""Addresses that servers listen at."""

from ipaddress import ip_address


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an IP address, of IPv6 with its zone or without; False: it is none."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
