"""Which addresses a server may connect to when somebody else has named them."""

from __future__ import annotations

import pytest

from detent.server.addresses import Reach, refusal

PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
LOOPBACK = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fc00::1",
    "fd12:3456::1",
    "::ffff:10.0.0.1",
    "::ffff:0:192.168.0.1",
    "64:ff9b::c0a8:1",
    "2002:c0a8:1::1",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:192.168.0.1",
]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:0.0.0.0",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "198.18.0.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "64:ff9b:1::1",
    "100::1",
    "4000::1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_for_everybody(address: str) -> None:
    assert [refusal(address, reach) for reach in Reach] == [None, None, None]


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_is_for_those_who_may_reach_it_however_it_is_written(address: str) -> None:
    assert [refusal(address, reach) is None for reach in Reach] == [False, True, True]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_network_is_for_those_who_may_reach_it_however_it_is_written(address: str) -> None:
    assert [refusal(address, reach) is None for reach in Reach] == [False, False, True]


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_what_is_no_host_is_for_nobody(address: str) -> None:
    assert [refusal(address, reach) is None for reach in Reach] == [False, False, False]
