"""One URL → its bytes, within limits: what tables name may lead anywhere, and hold anything."""

from __future__ import annotations

import errno
import functools
import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from pyarrow.fs import AwsStandardS3RetryStrategy, FileType, S3FileSystem, resolve_s3_region
from pydantic import Field

from pipeline.core.errors import Rejected
from pipeline.core.options import Options

HEADERS = {
    "User-Agent": "multimodal-pipeline",
    "Accept-Encoding": "identity",  # what is packed would be unpacked without bound
}
REDIRECTS = {301, 302, 303, 307, 308}
# Of these a server says itself that another time may go better.
LATER = {408, 425, 429}
# What this machine lacks, and no server.
OURS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
PIECE = 1 << 16
# What a path and a query hold as it stands; other letters go as %-codes of their UTF-8.
SAFE = "/%:@!$&'()*+,;=~?"
# What stands in place of a file that is gone, or that wants a login.
PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?<(!doctype\s+)?html\b", re.IGNORECASE)
# IPv6 addresses that lead to an IPv4 one (RFC 6052), beside those that Python knows.
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Pieces = Generator[bytes, None, None]


class DownloadOptions(Options):
    """From where, and how much, is fetched of the files that tables name by URL."""

    hosts: tuple[str, ...] = Field(
        ("*",),
        description="hosts of http(s) URLs and buckets of s3 ones that may be asked, by name or "
        "pattern: [upload.wikimedia.org, '*.example.org']",
    )
    internal: bool = Field(
        False, description="whether hosts of this machine and of private networks may be asked"
    )
    seconds: float = Field(60, gt=0, description="time that one file may take, redirects included")
    max_bytes: int = Field(256 << 20, ge=1, description="size of the largest file")
    redirects: int = Field(5, ge=0, description="redirects that are followed, one after another")
    at_once: int = Field(8, ge=1, le=64, description="files that are fetched at once")
    region: str | None = Field(None, description="region of S3, where the bucket does not say it")
    endpoint: str | None = Field(
        None, pattern=r"^https?://[^/@]+/?$", description="URL of another server that speaks S3"
    )
    anonymous: bool = Field(False, description="whether S3 is asked without credentials")


def request(url: str, options: DownloadOptions) -> Pieces:
    """The bytes at a URL, in pieces.

    Raises
    ------
    Rejected
        They are not to be had, in whole or within the limits; what came until then is nothing.
        Of these reasons another time may go better: see `may_come`.
    """
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        has_port = parts.port is not None
    except ValueError:
        raise Rejected("unsupported_url", "this is no URL") from None
    if scheme == "s3":
        if "@" in parts.netloc or has_port:
            raise Rejected("unsupported_url", "give s3://bucket/key and nothing else")
        _check_host(parts.netloc, options)
        pieces = _from_s3(url.partition("://")[2], options)
    elif scheme in ("http", "https") and host:
        pieces = _from_http(url, options)
    else:
        raise Rejected("unsupported_url", f"{scheme}:// is not fetched: give http, https or s3")
    return _checked(pieces, options)


def may_come(reason: str) -> bool:
    """Whether what was refused so is asked for again at the next run, without being told to."""
    return reason not in {"not_available", "not_media", "packed", "changed_content"}


def _checked(pieces: Pieces, options: DownloadOptions) -> Pieces:
    size = 0
    for piece in pieces:
        if not size and PAGE.match(piece[:1024]):
            raise Rejected("not_media", "the server sent a web page in place of the file")
        size += len(piece)
        _check_size(size, options)
        yield piece


def _check_size(size: int, options: DownloadOptions) -> None:
    if size > options.max_bytes:
        message = f"it has more than {options.max_bytes:,} bytes (download.<source>.max_bytes)"
        raise Rejected("too_large", message)


def _check_host(host: str, options: DownloadOptions) -> None:
    if not any(fnmatchcase(host.lower(), pattern.lower()) for pattern in options.hosts):
        raise Rejected("host_not_allowed", f"download.<source>.hosts does not name {host}")


class _Deadline:
    """Ends what waits for a server, whichever step it waits in, once the time is up."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()

    def hold(self, connection: socket.socket) -> None:
        self._socket = connection
        if self.expired:
            self._expire()

    def _expire(self) -> None:
        self.expired = True
        if self._socket is not None:
            with suppress(OSError):  # TLS is not told: it would answer the server first
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _from_http(url: str, options: DownloadOptions) -> Pieces:
    with _Deadline(options.seconds) as deadline, _as_refusal(deadline, options):
        for _ in range(options.redirects + 1):
            connection, response = _answer(urlsplit(url), options, deadline)
            try:
                if response.status in REDIRECTS and response.headers["Location"]:
                    url = urljoin(url, response.headers["Location"])
                    continue
                _check_status(response)
                yield from _body(response, options, deadline)
                return
            finally:
                response.close()
                connection.close()
        message = f"it leads on after {options.redirects} redirects (download.<source>.redirects)"
        raise Rejected("too_many_redirects", message)


def _answer(
    parts: SplitResult, options: DownloadOptions, deadline: _Deadline
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """What a server answers, its body not read yet; the connection is the caller's to close."""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Rejected("unsupported_url", f"it leads on to {parts.scheme or 'no'}:// URL")
    if parts.username is not None:
        raise Rejected("unsupported_url", "a URL of a table is no place for a password")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    _check_host(host, options)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connected = _connect(host, port, options)
    deadline.hold(connected)
    try:
        if secure:
            connected = _trust().wrap_socket(connected, server_hostname=host)
            deadline.hold(connected)
        connection = http.client.HTTPConnection(host, port, timeout=options.seconds)
        connection.sock = connected
        name = f"[{host}]" if ":" in host else host
        target = quote(parts.path or "/", SAFE) + (
            f"?{quote(parts.query, SAFE)}" * bool(parts.query)
        )
        # What is signed for S3 holds for this spelling of the host.
        headers = HEADERS | {"Host": f"{name}:{parts.port}" if parts.port else name}
        connection.request("GET", target, headers=headers)
        return connection, connection.getresponse()
    except BaseException:
        connected.close()
        raise


@functools.cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _connect(host: str, port: int, options: DownloadOptions) -> socket.socket:
    """A connection to an address that was looked at: a second look-up might say another."""
    addresses = [info[4][:2] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not options.internal and not all(_is_public(str(address)) for address, _ in addresses):
        raise Rejected(
            "internal_address",
            f"{host} is this machine, or of a private network (download.<source>.internal)",
        )
    for last, address in zip(reversed(range(len(addresses))), addresses, strict=True):
        try:
            return socket.create_connection((str(address[0]), port), options.seconds)
        except OSError:
            if not last:
                raise
    raise OSError("no address")


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        address = inner or address
    return address.is_global and not address.is_multicast


def _check_status(response: http.client.HTTPResponse) -> None:
    status = response.status
    if status == 200:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Rejected("packed", "the server sends it packed, though it was not asked to")
        return
    message = f"the server answers {status} {http.client.responses.get(status, '')}".rstrip()
    if status >= 500 or status in LATER:
        raise Rejected("server_error", message)
    raise Rejected("not_available", message)


def _body(
    response: http.client.HTTPResponse, options: DownloadOptions, deadline: _Deadline
) -> Pieces:
    length = response.length  # None where the server does not say it, or sends chunks
    _check_size(length or 0, options)
    size = 0
    while piece := response.read1(PIECE):
        size += len(piece)
        yield piece
    if deadline.expired:
        raise TimeoutError
    if length is not None and size < length:
        raise Rejected("cut_off", f"{size:,} bytes came of {length:,}")


@contextmanager
def _as_refusal(deadline: _Deadline, options: DownloadOptions) -> Iterator[None]:
    """Turn what networks and servers do wrong into a Rejected; what this machine lacks goes on."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        if getattr(error, "errno", None) in OURS:
            raise
        if deadline.expired or isinstance(error, TimeoutError):
            message = f"it took more than {options.seconds:g} s (download.<source>.seconds)"
            raise Rejected("too_slow", message) from None
        if isinstance(error, http.client.IncompleteRead):
            raise Rejected("cut_off", "the server ended before the file did") from None
        if isinstance(error, socket.gaierror):
            raise Rejected("unreachable", "its host has no address") from None
        if isinstance(error, ssl.SSLCertVerificationError):
            raise Rejected("unreachable", "its host has no certificate to trust") from None
        if isinstance(error, OSError):
            raise Rejected("unreachable", "the connection failed") from None
        if isinstance(error, http.client.HTTPException):
            raise Rejected("server_error", "the answer is no HTTP") from None
        raise Rejected("unsupported_url", "this, or where it leads, is no URL") from None


def _from_s3(path: str, options: DownloadOptions) -> Pieces:
    """`path` is bucket/key, as it stands: no part of it is an option."""
    bucket, _, key = path.partition("/")
    if not bucket or not key:
        raise Rejected("unsupported_url", "give s3://bucket/key")
    try:
        system = _s3(bucket, options)
        info = system.get_file_info(path)
        if info.type != FileType.File:
            raise Rejected("not_available", "the bucket has no such key, or does not show it")
        _check_size(info.size, options)
        size = 0
        with system.open_input_stream(path, compression=None) as stream:
            while piece := stream.read(PIECE):
                size += len(piece)
                yield piece
    except OSError as error:
        if error.errno in OURS:
            raise
        message = "S3 gives it not: look at the region and at the credentials of the environment"
        raise Rejected("unreachable", message) from None
    if size < info.size:
        raise Rejected("cut_off", f"{size:,} bytes came of {info.size:,}")


@functools.cache
def _s3(bucket: str, options: DownloadOptions) -> S3FileSystem:
    region = options.region or (None if options.endpoint else resolve_s3_region(bucket))
    scheme, _, host = (options.endpoint or "https://").partition("://")
    return S3FileSystem(
        region=region,
        scheme=scheme,
        endpoint_override=host.rstrip("/") or None,
        anonymous=options.anonymous,
        connect_timeout=options.seconds,
        request_timeout=options.seconds,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=2),
    )
