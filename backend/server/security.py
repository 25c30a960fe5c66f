"""Who may talk to the backend.

On the loopback interface a client shows a random secret (ZeroMQ's PLAIN); on any other address the two
sides know each other's keys and everything is encrypted (CURVE). ZeroMQ asks the `Gate` about every
connection, by its authentication protocol (ZAP, RFC 27); whom it does not know gets no answer.

The gate is a socket of the server's own loop and not `zmq.auth`'s thread: that one writes passwords to
its log, and takes asyncio with it.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from typing import Any

import zmq
from zmq.utils import z85

from ..wire.errors import BAD_PARAM, LAUNCH_FAILED, InpaintError
from ..wire.messages import MAX_FRAME_BYTES

USERNAME = "ai-inpaint"
MECHANISMS = ("auto", "plain", "curve")

_QUEUED_MESSAGES = 100  # for each peer and way; they may be large


@dataclass(frozen=True)
class CurveKeys:
    """The two key pairs of a CURVE connection, each key as 40 characters of Z85."""

    server_key: str
    server_secret: str = field(repr=False)
    client_key: str
    client_secret: str = field(repr=False)

    @classmethod
    def fresh(cls) -> CurveKeys:
        """Keys that nobody else has."""
        pairs = [key.decode() for _ in range(2) for key in zmq.curve_keypair()]
        return cls(*pairs)


class Gate:
    """Answers ZeroMQ's question whether a connection may be made.

    A socket belongs to a domain (its `ZAP_DOMAIN`), and for each domain the gate knows one secret or
    one client's key. Must exist before the sockets that it guards are bound.
    """

    def __init__(self, context: zmq.Context) -> None:
        self._plain: dict[bytes, bytes] = {}
        self._curve: dict[bytes, bytes] = {}
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")

    def allow_plain(self, domain: str, secret: str) -> None:
        """Let those in who show `secret` to a socket of `domain`."""
        self._plain[domain.encode()] = secret.encode()

    def allow_curve(self, domain: str, client_key: str) -> None:
        """Let the owner of the public key `client_key` in to a socket of `domain`."""
        self._curve[domain.encode()] = z85.decode(client_key)

    def answer(self) -> None:
        """Answer the questions that wait, without waiting for more."""
        while self.socket.poll(0):
            version, request, domain, _address, _identity, mechanism, *shown = self.socket.recv_multipart()
            known = version == b"1.0" and self._knows(domain, mechanism, shown)
            verdict = [b"200", b"OK", USERNAME.encode()] if known else [b"400", b"unknown", b""]
            self.socket.send_multipart([b"1.0", request, *verdict, b""])

    def _knows(self, domain: bytes, mechanism: bytes, shown: list[bytes]) -> bool:
        if mechanism == b"PLAIN" and len(shown) == 2 and domain in self._plain:
            user = hmac.compare_digest(shown[0], USERNAME.encode())
            return hmac.compare_digest(shown[1], self._plain[domain]) and user
        if mechanism == b"CURVE" and len(shown) == 1 and domain in self._curve:
            return hmac.compare_digest(shown[0], self._curve[domain])
        return False


def listen(
    context: zmq.Context,
    gate: Gate,
    domain: str,
    address: str = "127.0.0.1",
    port: int = 0,
    mechanism: str = "auto",
    keys: CurveKeys | None = None,
) -> tuple[zmq.Socket, dict[str, Any]]:
    """Bind a guarded ROUTER.

    Args:
        gate: is told whom to let in.
        domain: name of the socket for the gate.
        address: IP address, host name, or "*" for every interface.
        port: 0 for any free one.
        mechanism: "auto" is PLAIN on the loopback interface and CURVE elsewhere.
        keys: for CURVE; fresh ones if None.

    Returns:
        The socket, and what a client has to know: `endpoint`, `mechanism`, and `username`, `secret` or
        `server_key`, `client_key`, `client_secret`.

    Raises:
        InpaintError: `bad-param` for PLAIN beyond the loopback interface or an address that is none;
            `launch-failed` if it cannot be bound.
    """
    if mechanism not in MECHANISMS:
        raise InpaintError(
            BAD_PARAM, f"There is no mechanism {mechanism!r}.", f"Known are: {', '.join(MECHANISMS)}."
        )
    ip = _resolve(address)
    loopback = ip.is_loopback
    if mechanism == "plain" and not loopback:
        raise InpaintError(
            BAD_PARAM,
            f"On {address} other computers could read the secret and the pictures.",
            "Leave the mechanism to the backend, which encrypts there, or listen on 127.0.0.1.",
        )
    router = context.socket(zmq.ROUTER)
    router.linger = 500
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    router.setsockopt(zmq.RCVHWM, _QUEUED_MESSAGES)
    router.setsockopt(zmq.SNDHWM, _QUEUED_MESSAGES)
    router.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    router.setsockopt(zmq.IPV6, ip.version == 6)
    router.setsockopt_string(zmq.ZAP_DOMAIN, domain)
    if not loopback:  # a computer that was switched off says no goodbye
        router.setsockopt(zmq.TCP_KEEPALIVE, 1)
        router.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 15)
        router.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
        router.setsockopt(zmq.TCP_MAXRT, 30_000)
    if mechanism == "plain" or (mechanism == "auto" and loopback):
        known = _plain(router, gate, domain)
    else:
        known = _curve(router, gate, domain, keys or CurveKeys.fresh())
    host = f"[{ip}]" if ip.version == 6 else str(ip)
    try:
        router.bind(f"tcp://{host}:{port or '*'}")
    except zmq.ZMQError as problem:
        router.close()
        taken = problem.errno == zmq.EADDRINUSE
        raise InpaintError(
            LAUNCH_FAILED,
            f"Port {port} is in use by another program."
            if taken
            else f"The backend cannot listen on {address}: {problem.strerror}.",
            "Choose another port, or 0 for any free one." if taken else "Choose another address or port.",
        ) from problem
    bound = router.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2]
    return router, {"endpoint": f"tcp://{_reachable(ip)}:{bound}", **known}


def _plain(router: zmq.Socket, gate: Gate, domain: str) -> dict[str, Any]:
    secret = secrets.token_hex(32)
    gate.allow_plain(domain, secret)
    router.setsockopt(zmq.PLAIN_SERVER, 1)
    return {"mechanism": "PLAIN", "username": USERNAME, "secret": secret}


def _curve(router: zmq.Socket, gate: Gate, domain: str, keys: CurveKeys) -> dict[str, Any]:
    gate.allow_curve(domain, keys.client_key)
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt_string(zmq.CURVE_SECRETKEY, keys.server_secret)
    return {
        "mechanism": "CURVE",
        "server_key": keys.server_key,
        "client_key": keys.client_key,
        "client_secret": keys.client_secret,
    }


_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def _resolve(address: str) -> _IP:
    special = {"*": "0.0.0.0", "localhost": "127.0.0.1"}
    try:
        return ipaddress.ip_address(special.get(address, address.strip("[]")))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
        return ipaddress.ip_address(found[0][4][0])
    except (OSError, ValueError) as problem:
        raise InpaintError(
            BAD_PARAM,
            f"{address!r} is no address of this computer.",
            "Give an IP address such as 127.0.0.1.",
        ) from problem


def _reachable(ip: _IP) -> str:
    """The address for clients: of every interface, the one by which others reach this computer."""
    if not ip.is_unspecified:
        return f"[{ip}]" if ip.version == 6 else str(ip)
    outside = ("2001:db8::1", 9) if ip.version == 6 else ("192.0.2.1", 9)
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(outside)  # sends nothing: it only looks up the route
            own = probe.getsockname()[0]
        except OSError:
            own = "::1" if ip.version == 6 else "127.0.0.1"
    return f"[{own}]" if ip.version == 6 else own
