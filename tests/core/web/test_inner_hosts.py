"""Allowed addresses of host names."""

import pytest

from chronotile.core.web.inner_hosts import InnerAddress, InnerHosts

PUBLIC = "93.184.215.14"
INNER = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.8.8.8", "100.64.0.1", "::1", "fd12::1"]
NEVER = [
    *("169.254.169.254", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255"),
    *("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    "2002:a9fe:a9fe::1",
]


@pytest.fixture
def hosts():
    return InnerHosts()


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_name_may_lead_to_public_addresses(hosts, address):
    assert hosts.permitted_addresses("data.example.org", [address]) == [address]


@pytest.mark.parametrize("address", [*INNER, *NEVER, "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "x", ""])
def test_a_name_may_not_lead_inside(hosts, address):
    with pytest.raises(InnerAddress, match="network inside"):
        hosts.permitted_addresses("data.example.org", [address])


def test_of_several_addresses_the_public_ones_are_used(hosts):
    assert hosts.permitted_addresses("data.example.org", ["10.0.0.1", PUBLIC, "169.254.169.254"]) == [PUBLIC]


@pytest.mark.parametrize("address", INNER)
@pytest.mark.parametrize("host", ["minio", "localhost", "minio.svc.cluster.local", "data.internal", "MAPS.example.org"])
def test_the_host_of_a_source_and_names_that_public_dns_lacks_may_lead_inside(hosts, host, address):
    hosts.trust("https://Maps.Example.ORG:8443/catalog.json")

    assert hosts.permitted_addresses(host, [address]) == [address]


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("host", ["minio", "metadata.google.internal", "maps.example.org"])
def test_no_name_leads_to_link_local_or_metadata_addresses(hosts, host, address):
    hosts.trust("https://maps.example.org/")

    with pytest.raises(InnerAddress):
        hosts.permitted_addresses(host, [address])


def test_address_of_a_name_may_be_allowed_by_the_operator(hosts):
    hosts.allow_addresses(["10.1.2.3", "example.org", "fd12::1"])

    assert hosts.permitted_addresses("minio.example.org", ["10.1.2.3", "10.1.2.4", "fd12::1"]) == [
        "10.1.2.3",
        "fd12::1",
    ]


@pytest.mark.parametrize("href", ["s3://bucket/x", "/data/x", "https://[::1", "data:,x", ""])
def test_url_without_a_host_is_not_trusted(hosts, href):
    hosts.trust(href)

    with pytest.raises(InnerAddress):
        hosts.permitted_addresses("bucket.example.org", ["10.0.0.1"])


def test_the_log_names_a_host_and_its_addresses_once(hosts, caplog):
    for _ in range(3):
        with pytest.raises(InnerAddress):
            hosts.permitted_addresses("data.example.org", ["10.0.0.1", "::1"])

    assert [each.getMessage() for each in caplog.records] == [
        "data.example.org leads to 10.0.0.1, ::1, where nothing is allowed to be read"
    ]
