"""The client that the plugins use against the server that they start, over both transports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backend.client.discovery import Connection
from backend.client.session import Failure, InpaintRequest, Progress, Result, Session
from backend.wire.errors import InpaintError
from backend.wire.messages import Buffer


def connection(server: Any, **changes: Any) -> Connection:
    known = {name: value for name, value in server.info.items() if name not in ("modules", "protocol")}
    return Connection(**{**known, "protocol": tuple(server.info["protocol"]), **changes})


@pytest.fixture(params=["zmq", "zmtp"])
def session(server: Any, request: pytest.FixtureRequest) -> Iterator[Session]:
    with Session.open(connection(server), "a test", request.param) as opened:
        yield opened


def request(side: int, model: str = "patient", **params: Any) -> InpaintRequest:
    """A gray square with a square hole in its middle third."""
    mask = bytearray(side * side)
    third = side // 3
    for row in range(third, 2 * third):
        mask[row * side + third : row * side + 2 * third] = b"\xff" * third
    return InpaintRequest(
        "RGB",
        Buffer((side, side, 3), "u1", b"\x80" * (3 * side * side)),
        Buffer((side, side), "u1", mask),
        model,
        {"grow": 0, "feather": 0, "seam": "off", **params},
        offset=(40, -50),
    )


def test_models_and_status(session: Session, server: Any) -> None:
    cards, common = session.models()
    assert "patchmatch" in [card["name"] for card in cards]
    assert "seed" in [spec["name"] for spec in common]
    assert session.status()["pid"] == session.backend["pid"] == server.process.pid


def test_a_fill_with_its_progress(session: Session) -> None:
    heard: list[Progress] = []
    result = session.inpaint(request(300, value=7, seconds=0.5), heard.append)
    assert result.offset == (140, 50)
    ((seed, patch),) = result.candidates
    assert (seed, patch.shape) == (0, (100, 100, 4))
    assert bytes(patch.data) == b"\7\7\7\xff" * 10_000
    fractions = [news.fraction for news in heard if news.stage == "dreaming"]
    assert len(fractions) > 2
    assert fractions == sorted(fractions)


def test_a_picture_of_many_megabytes_passes_unharmed(session: Session) -> None:
    result = session.inpaint(request(3000, value=250, count=2))
    assert [seed for seed, _ in result.candidates] == [0, 1]
    for _, patch in result.candidates:
        assert bytes(patch.data) == b"\xfa\xfa\xfa\xff" * 1_000_000


def test_cancel_and_failure(session: Session) -> None:
    jobs = [session.submit(request(30, seconds=60)), session.submit(request(30, "nobody"))]
    session.cancel(jobs[0])
    codes: dict[str, str] = {}
    while len(codes) < 2:
        news = session.poll(10)
        assert not isinstance(news, Result)
        if isinstance(news, Failure):
            codes[news.job] = news.error.code
    assert codes == dict(zip(jobs, ["cancelled", "unknown-model"], strict=True))


@pytest.mark.parametrize("prefer", ["zmq", "zmtp"])
def test_a_wrong_secret_is_called_so(server: Any, prefer: str) -> None:
    with pytest.raises(InpaintError) as caught:
        Session.open(connection(server, secret="0" * 64), "a test", prefer)
    assert caught.value.code == "unauthorised"
