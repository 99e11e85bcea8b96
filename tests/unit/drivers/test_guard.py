import pytest

from connector.drivers.guard import Guard, Refused, is_literal, is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.9.9.9",
    "52.84.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "192.169.0.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.254",
    "11.0.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.1",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
]
PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "not an address",
    "",
    "127.1",
    "0x7f.0.0.1",
]
REFUSED = [
    "http://example.com/",
    "https://example.com:444/",
    "https://example.com:80/",
    "https://example.com:22/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "//example.com/",
    "/only/a/path",
    "",
    "https://",
    "https:///path",
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://:pass@example.com/",
    "https://@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com:443@127.0.0.1/",
    "https://127.0.0.1/",
    "https://8.8.8.8/",
    "https://8.8.8.8:443/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7F.0X0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://0x/",
    "https://1.2.3.0x4/",
    "https://example.0x10/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://[2606:4700:4700::1111]/",
    "https://[::1",
    "https://localhost\\@example.com/",
    "https://example.com\\.evil.com/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/\r\nHost: evil",
    "https://example.com/\tx",
    "https://example.com/\x00",
    " https://example.com/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://ⓛocalhost/",
    "https://127%2e0.0.1/",
    "https://example.com%00.evil.com/",
    "https://-example.com/",
    "https://example-.com/",
    "https://exam..ple.com/",
    "https://.example.com/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://$(whoami).example.com/",
    "https://exa*mple.com/",
]
ALLOWED = [
    "https://example.com",
    "https://example.com/",
    "https://example.com:443/",
    "HTTPS://EXAMPLE.COM/",
    "https://example.com./",
    "https://a.b.c.example.co.uk/path?q=1#f",
    "https://xn--mnchen-3ya.de/",
    "https://shop.vtexcommercestable.com.br/api/x%2Fy/%C3%A7?a=b%20c",
    "https://a-b.example.com/",
    "https://under_score.example.com/",
    "https://1.example.com/",
    "https://123abc.com/",
    "https://3com.com/",
    "https://0x7f.example.com/",
    "https://example.com/http://127.0.0.1/",
    "https://example.com/@user",
    "https://example.com/?next=//127.0.0.1",
    "https://example.com//double",
    "https://127.0.0.1.nip.io/",
    "https://localhost.example.com/",
]


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses(ip):
    assert is_public(ip)


@pytest.mark.parametrize("ip", PRIVATE)
def test_addresses_that_are_not_public(ip):
    assert not is_public(ip)


@pytest.mark.parametrize("url", REFUSED)
def test_refused_urls(url):
    with pytest.raises(Refused):
        Guard().check_url(url)


@pytest.mark.parametrize("url", ALLOWED)
def test_allowed_urls(url):
    assert Guard().check_url(url).scheme == "https"


def test_the_url_is_passed_on_as_it_is():
    url = Guard().check_url("https://example.com/a%2Fb/%c3%a7/%41?x=%2F+1")
    assert str(url) == "https://example.com/a%2Fb/%c3%a7/%41?x=%2F+1"


@pytest.mark.parametrize(
    ("allowed", "url", "passes"),
    [
        ("localhost", "http://localhost/", True),
        ("localhost", "http://localhost:8080/", True),
        ("LOCALHOST", "http://localhost:8080/", True),
        ("localhost", "http://LocalHost:8080/", True),
        ("localhost", "https://localhost./", True),
        ("localhost:8080", "http://localhost:8080/", True),
        ("localhost:8080", "http://localhost:8081/", False),
        ("localhost:443", "https://localhost/", True),
        ("localhost:80", "http://localhost/", True),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/x", True),
        ("127.0.0.1:9000", "http://127.0.0.1/x", False),
        ("[::1]:9000", "http://[::1]:9000/x", True),
        ("::1", "http://[::1]:9000/x", True),
        ("localhost", "http://user@localhost/", False),
        ("localhost", "http://otherlocalhost/", False),
        ("localhost", "http://localhost.evil.com/", False),
        ("", "http://localhost/", False),
    ],
)
def test_hosts_that_the_operator_names(allowed, url, passes):
    guard = Guard([allowed])
    if passes:
        guard.check_url(url)
    else:
        with pytest.raises(Refused):
            guard.check_url(url)


def test_addresses_behind_names():
    guard = Guard(["internal.example.com:8443"])
    guard.check_address("example.com", 443, "8.8.8.8")
    guard.check_address("internal.example.com", 8443, "10.0.0.1")
    for host, port, ip in (
        ("example.com", 443, "10.0.0.1"),
        ("internal.example.com", 443, "10.0.0.1"),
        ("example.com", 443, "64:ff9b::a9fe:a9fe"),
    ):
        with pytest.raises(Refused):
            guard.check_address(host, port, ip)


def test_messages_do_not_quote_urls():
    with pytest.raises(Refused) as refusal:
        Guard().check_url("https://user:hunter22@example.com/secret?token=abc")
    assert "hunter22" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_literals():
    assert all(map(is_literal, ["1.2.3.4", "::1", "[::1]", "1", "0x1", "a.1", "1.2.3.4."]))
    assert not any(map(is_literal, ["a", "1.a", "0x1.a", "a.b1", "x1"]))
