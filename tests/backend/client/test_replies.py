"""A session against servers that say odd things, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

sys.path.insert(0, str(Path(__file__).parent))
from router import SECRET, USER
from zmq.auth.thread import ThreadAuthenticator

from backend.client import session as sessions
from backend.client.discovery import Connection
from backend.client.session import (
    Failure,
    InpaintRequest,
    Progress,
    Result,
    SelectRequest,
    Session,
    SketchRequest,
)
from backend.wire import codec
from backend.wire.errors import (
    BAD_MESSAGE,
    CANCELLED,
    NOT_RUNNING,
    TIMEOUT,
    UNKNOWN_TYPE,
    VERSION,
    InpaintError,
)
from backend.wire.messages import PROTOCOL, Buffer, Message

REQUEST = InpaintRequest(
    "RGB",
    Buffer((2, 3, 3), "u1", bytes(18)),
    Buffer((2, 3), "u1", b"\0\1\0\0\1\0"),
    params={"grow": 2},
    source=Buffer((2, 3), "u1", bytes(6)),
    guidance={"sketch": Buffer((2, 3, 4), "u1", bytes(24))},
    offset=(-5, 7),
)
PATCH = Buffer((1, 2, 4), "u1", b"RGBArgba")


class Script:
    """A server whose answers are a function's: `answer(message, say)`."""

    def __init__(self, answer: Callable[[Message, Callable[..., None]], None]) -> None:
        self.heard: list[Message] = []
        self._answer = answer
        self._context = zmq.Context()
        self._gate = ThreadAuthenticator(self._context)
        self._gate.start()
        self._gate.configure_plain(domain="*", passwords={USER: SECRET})
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.plain_server = True
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        endpoint = f"tcp://127.0.0.1:{port}"
        self.connection = Connection(endpoint, "PLAIN", username=USER, secret=SECRET, pid=os.getpid())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._socket.poll(20):
                continue
            client, *frames = self._socket.recv_multipart()
            message = codec.decode(frames)
            self.heard.append(message)

            def say(
                type: str,
                id: str | None = None,
                buffers: Any = None,
                raw: list[bytes] | None = None,
                client: bytes = client,
                asked: Message = message,
                **fields: Any,
            ) -> None:
                answer = Message(type, asked.id if id is None else id, fields, buffers or {})
                self._socket.send_multipart([client, *(raw or codec.encode(answer))])

            if message.type == "hello":
                say("hello", software="script", pid=os.getpid(), host="here")
            else:
                self._answer(message, say)
        self._socket.close(0)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._gate.stop()
        self._context.destroy(0)


@pytest.fixture(params=["zmq", "zmtp"])
def talk(request: pytest.FixtureRequest) -> Iterator[Callable[..., Session]]:
    """Starts a scripted server and a session with it."""
    opened: list[Any] = []

    def talk(answer: Callable[[Message, Callable[..., None]], None], **changes: Any) -> Session:
        script = Script(answer)
        opened.append(script)
        session = Session.open(replace(script.connection, **changes), "a test", request.param)
        session.script = script  # type: ignore[attr-defined]
        opened.append(session)
        return session

    yield talk
    for thing in reversed(opened):
        thing.close()


def next_event(session: Session) -> Any:
    event = session.poll(30)
    assert event is not None
    return event


def silent(message: Message, say: Callable[..., None]) -> None:
    pass


def result(say: Callable[..., None], **changes: Any) -> None:
    fields = {
        "model": "lama",
        "offset": [-4, 8],
        "layout": "RGBA",
        "candidates": [{"seed": 3, "buffer": "0"}],
        **changes,
    }
    say("result", buffers={"0": PATCH}, **fields)


def test_a_job_from_its_request_to_its_result(talk: Callable[..., Session]) -> None:
    def answer(message: Message, say: Callable[..., None]) -> None:
        say("progress", stage="waiting", fraction=0.0, position=2)
        say("progress", stage="filling", fraction=7.5)
        result(say)

    session = talk(answer)
    job = session.submit(REQUEST)
    assert next_event(session) == Progress(job, "waiting", 0.0, 2)
    assert next_event(session) == Progress(job, "filling", 1.0)
    got = next_event(session)
    assert isinstance(got, Result)
    assert (got.job, got.model, got.offset, got.layout) == (job, "lama", (-4, 8), "RGBA")
    ((seed, patch),) = got.candidates
    assert (seed, patch.shape, patch.dtype, bytes(patch.data)) == (3, (1, 2, 4), "u1", b"RGBArgba")
    assert session.poll(0) is None
    hello, sent = session.script.heard  # type: ignore[attr-defined]
    assert hello.fields == {"software": "a test"}
    assert sent.fields == {
        "model": "auto",
        "params": {"grow": 2},
        "image": {"layout": "RGB"},
        "offset": [-5, 7],
    }
    assert sorted(sent.buffers) == ["guide:sketch", "image", "mask", "source"]


def test_replies_to_nobody_and_of_unknown_kinds_are_passed_over(talk: Callable[..., Session]) -> None:
    def answer(message: Message, say: Callable[..., None]) -> None:
        say("progress", id="somebody else's", stage="x", fraction=0)
        say("error", id="", code="internal", message="m")
        say("", raw=[b"no msgpack"])
        say("", raw=[b""])
        result(say)
        result(say)  # a second time: nobody waits for it

    session = talk(answer)
    assert session.inpaint(REQUEST).model == "lama"
    assert session.poll(0.2) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": []},
        {"candidates": None},
        {"candidates": [{"seed": 3, "buffer": "not sent"}]},
        {"candidates": [{"buffer": "0"}]},
        {"candidates": ["0"]},
        {"layout": "RGB"},
        {"layout": "none"},
        {"offset": [1]},
        {"offset": None},
        {"offset": ["a", "b"]},
    ],
)
def test_a_result_that_makes_no_sense_is_a_failure(talk: Callable[..., Session], changes: Any) -> None:
    session = talk(lambda message, say: result(say, **changes))
    with pytest.raises(InpaintError) as caught:
        session.inpaint(REQUEST)
    assert caught.value.code == BAD_MESSAGE


def test_a_reply_of_an_unknown_type_is_a_failure(talk: Callable[..., Session]) -> None:
    session = talk(lambda message, say: say("poem"))
    with pytest.raises(InpaintError) as caught:
        session.inpaint(REQUEST)
    assert caught.value.code == BAD_MESSAGE
    with pytest.raises(InpaintError) as caught:
        session.status()
    assert caught.value.code == BAD_MESSAGE


def test_an_error_ends_its_job_alone(talk: Callable[..., Session]) -> None:
    def answer(message: Message, say: Callable[..., None]) -> None:
        if message.fields["model"] == "bad":
            say("error", code="no-source", message="Nothing to fill from.", hint="Select less.")
        else:
            result(say)

    session = talk(answer)
    bad = session.submit(replace(REQUEST, model="bad"))
    good = session.submit(REQUEST)
    failure, success = next_event(session), next_event(session)
    assert isinstance(failure, Failure) and failure.job == bad
    assert (failure.error.code, failure.error.hint) == ("no-source", "Select less.")
    assert isinstance(success, Result) and success.job == good


def test_questions_do_not_swallow_what_comes_for_jobs(talk: Callable[..., Session]) -> None:
    waiting: list[Callable[..., None]] = []

    def answer(message: Message, say: Callable[..., None]) -> None:
        if message.type == "inpaint":
            waiting.append(say)
        elif message.type == "models":
            say("models", models=[{"name": "m"}], common=[])
        else:
            for late in waiting:
                late("progress", stage="s", fraction=0.5)
                result(late)
            say("status", jobs=[])

    session = talk(answer)
    first, second = session.submit(REQUEST), session.submit(REQUEST)
    assert session.models() == ([{"name": "m"}], [])
    assert session.status() == {"jobs": []}
    seen = [(next_event(session).job, type(event).__name__) for event in [None] for _ in range(4)]
    assert [job for job, _ in seen] == [first, first, second, second]


def test_another_job_s_events_wait_while_one_is_waited_for(talk: Callable[..., Session]) -> None:
    waiting: list[Callable[..., None]] = []

    def answer(message: Message, say: Callable[..., None]) -> None:
        waiting.append(say)
        if len(waiting) == 2:
            waiting[0]("progress", stage="first", fraction=0.1)
            result(waiting[0], model="first")
            result(say, model="second")

    session = talk(answer)
    first = session.submit(REQUEST)
    assert session.inpaint(REQUEST).model == "second"
    assert next_event(session) == Progress(first, "first", 0.1)
    assert next_event(session).model == "first"


def test_cancel_names_the_job_and_its_end_comes(talk: Callable[..., Session]) -> None:
    jobs: list[Callable[..., None]] = []

    def answer(message: Message, say: Callable[..., None]) -> None:
        if message.type == "inpaint":
            jobs.append(say)
            say("progress", stage="s", fraction=0.0)
        else:
            assert message.type == "cancel" and message.fields == {"job": session.script.heard[1].id}
            say("ok")
            jobs[0]("error", code="cancelled", message="The fill was cancelled.")

    session = talk(answer)
    seen: list[Progress] = []
    with pytest.raises(InpaintError) as caught:
        session.inpaint(REQUEST, seen.append, lambda: bool(seen))
    assert caught.value.code == CANCELLED
    session.cancel("a job that has ended long ago")
    assert [message.type for message in session.script.heard] == ["hello", "inpaint", "cancel"]


def test_a_cancel_that_is_not_answered_ends_all_the_same(
    talk: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_CANCELLING", 0.3)
    session = talk(silent)
    with pytest.raises(InpaintError) as caught:
        session.inpaint(REQUEST, cancelled=lambda: True)
    assert caught.value.code == CANCELLED


def test_a_callback_that_raises_stops_the_job(talk: Callable[..., Session]) -> None:
    def answer(message: Message, say: Callable[..., None]) -> None:
        if message.type == "inpaint":
            say("progress", stage="s", fraction=0.0)

    def raising(progress: Progress) -> None:
        raise KeyError("the dialog is gone")

    session = talk(answer)
    with pytest.raises(KeyError):
        session.inpaint(REQUEST, raising)
    deadline = time.monotonic() + 20
    while session.script.heard[-1].type != "cancel" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert session.script.heard[-1].type == "cancel"


# Versions


def test_another_version_says_which_side_to_update(talk: Callable[..., Session]) -> None:
    for major, side in ((PROTOCOL[0] + 1, "Update the plugin"), (PROTOCOL[0] - 1, "Update the backend")):
        with pytest.raises(InpaintError) as caught:
            talk(silent, protocol=(major, 0), software="9.9")
        assert caught.value.code == VERSION and caught.value.hint.startswith(side)
        assert "9.9" in caught.value.message
    talk(silent, protocol=(PROTOCOL[0], 99))


def test_a_reply_of_another_version_is_told_to_who_asked(talk: Callable[..., Session]) -> None:
    def answer(message: Message, say: Callable[..., None]) -> None:
        say("", raw=[msgpack.packb({"v": [PROTOCOL[0] + 1, 0], "id": message.id})])

    session = talk(answer)
    with pytest.raises(InpaintError) as caught:
        session.status()
    assert caught.value.code == VERSION and "sender" not in str(caught.value)
    with pytest.raises(InpaintError) as caught:
        session.inpaint(REQUEST)
    assert caught.value.code == VERSION


# Silence


def test_signs_of_life_keep_a_job_waiting(
    talk: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_GIVE_UP", 1.5)

    def answer(message: Message, say: Callable[..., None]) -> None:
        for _ in range(12):
            say("progress", stage="s", fraction=0.0)
            time.sleep(0.2)
        result(say)

    session = talk(answer)
    session.silence = 0.5
    assert session.inpaint(REQUEST).model == "lama"


@pytest.mark.parametrize("look", [0.0, 0.1])
def test_a_backend_that_says_nothing_is_given_up(
    talk: Callable[..., Session], monkeypatch: pytest.MonkeyPatch, look: float
) -> None:
    monkeypatch.setattr(sessions, "_GIVE_UP", 1.0)
    session = talk(silent)
    session.silence = 0.2
    before = time.monotonic()
    job = session.submit(REQUEST)
    event = None
    while event is None:
        event = session.poll(look)
        time.sleep(0.01)
    assert isinstance(event, Failure) and event.job == job and event.error.code == TIMEOUT
    assert time.monotonic() - before > 0.9
    assert session.poll(0) is None


def test_a_dead_backend_that_keeps_the_line_open_is_noticed_earlier(talk: Callable[..., Session]) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    session = talk(silent, pid=process.pid)
    session.silence = 0.5
    job = session.submit(REQUEST)
    event = next_event(session)
    assert isinstance(event, Failure) and event.job == job and event.error.code == NOT_RUNNING
    with pytest.raises(InpaintError):
        session.submit(REQUEST)


def test_an_editor_that_was_busy_does_not_give_up(
    talk: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_GIVE_UP", 1.0)
    session = talk(silent)
    session.silence = 0.2
    session.submit(REQUEST)
    session.poll(0)
    time.sleep(2.5)
    assert session.poll(0) is None and session.poll(0.2) is None
    assert isinstance(next_event(session), Failure)


def test_a_server_that_ends_fails_every_job(talk: Callable[..., Session]) -> None:
    session = talk(silent)
    jobs = [session.submit(REQUEST), session.submit(REQUEST)]
    time.sleep(0.2)
    session.script.close()
    events = [next_event(session), next_event(session)]
    assert [event.job for event in events] == jobs
    assert {event.error.code for event in events} == {NOT_RUNNING}
    for ask in (session.status, session.poll, session.models, lambda: session.submit(REQUEST)):
        with pytest.raises(InpaintError) as caught:
            ask()
        assert caught.value.code == NOT_RUNNING


def test_a_question_that_is_not_answered_times_out(
    talk: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = talk(silent)
    with pytest.raises(InpaintError) as caught:
        session._ask("status", {}, 0.3)
    assert caught.value.code == TIMEOUT


def test_a_buffer_that_does_not_fit_is_the_caller_s_mistake(talk: Callable[..., Session]) -> None:
    session = talk(silent)
    with pytest.raises(ValueError):
        session.submit(replace(REQUEST, mask=Buffer((2, 3), "u1", b"short")))


def test_a_backend_that_draws_no_sketches_is_told_to_be_older(talk: Callable[..., Session]) -> None:
    def answer(message: Message, say: Callable[..., None]) -> None:
        say("error", code=UNKNOWN_TYPE, message="The backend knows no message 'sketch'.", hint="")

    request = SketchRequest("RGB", REQUEST.image, REQUEST.mask, {"detail": 20}, (-5, 7))
    session = talk(answer)
    with pytest.raises(InpaintError, match="older than this plugin") as caught:
        session.sketch(request)
    assert caught.value.code == VERSION and "install.py" in caught.value.hint
    (asked,) = [message for message in session.script.heard if message.type == "sketch"]  # type: ignore[attr-defined]
    assert asked.fields == {"params": {"detail": 20}, "image": {"layout": "RGB"}, "offset": [-5, 7]}
    assert {name: bytes(buffer.data) for name, buffer in asked.buffers.items()} == {
        "image": REQUEST.image.data,
        "mask": REQUEST.mask.data,
    }


SELECT = SelectRequest("RGB", REQUEST.image, {"what": "mosaics"}, (-5, 7))


def test_a_backend_that_selects_nothing_is_told_to_be_older(talk: Callable[..., Session]) -> None:
    def answer(message: Message, say: Callable[..., None]) -> None:
        say("error", code=UNKNOWN_TYPE, message="The backend knows no message 'select'.", hint="")

    session = talk(answer)
    with pytest.raises(InpaintError, match="older than this plugin") as caught:
        session.select(SELECT)
    assert caught.value.code == VERSION and "install.py" in caught.value.hint
    (asked,) = [message for message in session.script.heard if message.type == "select"]  # type: ignore[attr-defined]
    assert asked.fields == {"params": {"what": "mosaics"}, "image": {"layout": "RGB"}, "offset": [-5, 7]}
    assert {name: bytes(buffer.data) for name, buffer in asked.buffers.items()} == {
        "image": REQUEST.image.data
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"count": "many"},
        {"offset": [1]},
        {"doubts": None},
        {"buffers": {}},
        {"buffers": {"mask": Buffer((1, 1, 1), "u1", b"x")}},
        {"buffers": {"mask": Buffer((1, 1), "f4", b"xxxx")}},
    ],
    ids=str,
)
def test_a_selection_that_makes_no_sense_is_a_failure(
    talk: Callable[..., Session], changes: dict[str, Any]
) -> None:
    good = {"count": 1, "offset": [3, 4], "doubts": ["Hm."], "buffers": {"mask": Buffer((1, 1), "u1", b"x")}}

    def answer(message: Message, say: Callable[..., None]) -> None:
        say("selected", **{**good, **({} if message.fields["offset"] == [0, 0] else changes)})

    session = talk(answer)
    found = session.select(replace(SELECT, offset=(0, 0)))
    assert (found.count, found.offset, found.doubts) == (1, (3, 4), ["Hm."])
    with pytest.raises(InpaintError) as caught:
        session.select(SELECT)
    assert caught.value.code == BAD_MESSAGE


def test_a_fill_that_is_answered_by_a_selection_is_a_failure(talk: Callable[..., Session]) -> None:
    mask = {"mask": Buffer((1, 1), "u1", b"x")}
    session = talk(
        lambda message, say: (
            say("selected", count=1, offset=[0, 0], doubts=[], buffers=mask)
            if message.type == "inpaint"
            else None
        )
    )
    with pytest.raises(InpaintError) as caught:
        session.inpaint(REQUEST)
    assert caught.value.code == BAD_MESSAGE
