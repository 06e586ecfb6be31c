"""What comes of a URL that anybody may have written: its bytes, or the reason why not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pyarrow.fs as fs
import pytest

from pipeline.core.errors import Rejected
from pipeline.raw.request import DownloadOptions, _is_public, request
from tests.s3 import s3_server
from tests.web import Site, drips, leads_to, sends, web_server

INTERNAL = DownloadOptions(internal=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with web_server() as site:
        yield site


def fetched(url: str, **options: object) -> bytes:
    return b"".join(request(url, INTERNAL.model_copy(update=options)))


def refusal(url: str, **options: object) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        fetched(url, **options)
    return caught.value.reason, caught.value.message


def test_bytes_come_as_they_are_through_redirects_and_spellings(site: Site) -> None:
    body = bytes(range(256)) * 1000
    site.answers |= {"/a%20%C3%A9.png": body, "/old": leads_to("/older"), "/empty": b""}
    site.answers["/older"] = leads_to(f"{site.address}/a%20%C3%A9.png?x=1")
    assert fetched(f"{site.address}/old") == body
    assert fetched(f"{site.address}/a é.png#part") == body
    assert fetched(f"{site.address}/empty") == b""
    site.answers["/chunks"] = sends(b"3\r\nabc\r\n0\r\n\r\n", Transfer_Encoding="chunked")
    site.answers["/raw"] = sends(b"no length is said")
    assert fetched(f"{site.address}/chunks") == b"abc"
    assert fetched(f"{site.address}/raw") == b"no length is said"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (404, "not_available", "404 Not Found"),
        (403, "not_available", "403"),
        (429, "server_error", "429"),
        (503, "server_error", "503 Service Unavailable"),
        (b"\n<!DOCTYPE html><html>Please log in</html>", "not_media", "a web page"),
        (b"x" * 101, "too_large", "more than 100 bytes"),
        (sends(b"y" * 101), "too_large", "more than 100 bytes"),
        (sends(b"half", Content_Length="8"), "cut_off", "4 bytes came of 8"),
        (sends(b"\x1f\x8b", Content_Encoding="gzip"), "packed", "packed"),
        (leads_to("/here"), "too_many_redirects", "after 2 redirects"),
        (leads_to("file:///etc/passwd"), "unsupported_url", "file://"),
        (leads_to("http://["), "unsupported_url", "no URL"),
        (drips, "too_slow", "more than 0.5 s"),
    ],
)
def test_what_servers_do_wrong_has_its_reason(
    site: Site, answer: object, reason: str, words: str
) -> None:
    site.answers["/here"] = answer  # type: ignore[assignment]
    limits = {"max_bytes": 100, "redirects": 2, "seconds": 0.5}
    actual_reason, message = refusal(f"{site.address}/here", **limits)
    assert actual_reason == reason
    assert words in message


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a/b", "http://", "http://a:b@c/d", "http://a:99999/", "s3://b",
     "s3://key:secret@bucket/x", "http://[::1", "gopher://a/"],
)  # fmt: skip
def test_other_urls_are_asked_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert refusal(url)[0] == "unsupported_url"


def test_this_machine_and_its_network_are_asked_only_if_params_say_so(site: Site) -> None:
    site.answers["/secret"] = b"of this machine"
    site.asked.clear()
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"):
        url = site.address.replace("127.0.0.1", host) + "/secret"
        assert refusal(url, internal=False)[0] == "internal_address", host
    assert not site.asked
    for address in ("169.254.169.254", "10.0.0.1", "::1", "fe80::1%eth0", "fd00::1", "0.0.0.0",
                    "100.64.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "224.0.1.1"):  # fmt: skip
        assert not _is_public(address), address
    assert _is_public("93.184.216.34")
    assert _is_public("2606:2800:220:1::")


def test_hosts_may_be_named(site: Site) -> None:
    site.answers["/x"] = b"bytes"
    assert fetched(f"{site.address}/x", hosts=("127.*",)) == b"bytes"
    reason, message = refusal(f"{site.address}/x", hosts=("*.example.org",))
    assert (reason, "127.0.0.1" in message) == ("host_not_allowed", True)
    site.answers["/away"] = leads_to("http://elsewhere.example.com/x")
    assert refusal(f"{site.address}/away", hosts=("127.0.0.1",))[0] == "host_not_allowed"


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}/x") == ("unreachable", "the connection failed")
    assert refusal("http://no-such-host.invalid/x")[0] == "unreachable"


def test_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with s3_server() as address:
        uri = f"s3://?scheme=http&endpoint_override={address}&region=us-east-1"
        system, _ = fs.FileSystem.from_uri(f"{uri}&allow_bucket_creation=true")
        system.create_dir("photos")
        with system.open_output_stream("photos/a b?#1.gz", compression=None) as stream:
            stream.write(b"\x1f\x8b as it is")
        server = {"endpoint": f"http://{address}", "region": "us-east-1"}
        assert fetched("s3://photos/a b?#1.gz", **server) == b"\x1f\x8b as it is"
        assert refusal("s3://photos/b", **server)[0] == "not_available"
        assert refusal("s3://nowhere/b", **server)[0] in ("not_available", "unreachable")
        assert refusal("s3://photos/a b?#1.gz", max_bytes=3, **server)[0] == "too_large"
        assert refusal("s3://photos/x", hosts=("other",), **server)[0] == "host_not_allowed"
