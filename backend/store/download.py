"""Downloading one file: resumed where it broke off, retried, never waited for in vain.

What has arrived stays in the partial file, also when the program is ended, and the next attempt asks for
the rest. Whether the whole is right is checked by the caller, by its hash.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from .. import __version__
from ..wire.errors import BAD_WEIGHTS, DOWNLOAD_FAILED, NO_SPACE, OFFLINE, InpaintError

Progress = Callable[[float, str], None]
"""Called with a fraction in [0, 1] and what is being done."""

STAGE = "downloading"
PAUSES = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth attempt that brings nothing new
CONNECT_WITHIN, SILENT_FOR = 10.0, 30.0  # seconds
_BLOCK = 1 << 18
_KEEP_FREE = 64 << 20

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LATER = "Try again later; what has arrived is kept."


class _BrokenOff(Exception):
    """It may go better next time.

    Attributes:
        resumed: the server had gone on where the file broke off, so that every attempt brings more.
        problem: what to tell if it does not.
    """

    def __init__(self, problem: InpaintError, resumed: bool = False) -> None:
        super().__init__(str(problem))
        self.problem, self.resumed = problem, resumed


def download(url: str, part: Path, size: int, progress: Progress, pauses: Sequence[float] = PAUSES) -> None:
    """Bring a partial file to its full length.

    Proxies and certificates are taken from the usual variables (HTTPS_PROXY, NO_PROXY,
    REQUESTS_CA_BUNDLE) and the system's settings.

    Args:
        url: http or https.
        part: the partial file; what is in it already is not fetched again.
        size: bytes of the whole file; 0 where nobody knows.
        progress: called as bytes arrive.
        pauses: seconds to wait before the attempts after the first.

    Raises:
        InpaintError: `offline`, `download-failed`, `bad-weights` (the server has another file) or
            `no-space`.
    """
    failures = 0
    with requests.Session() as session:
        # Compressed on the way, a file could not be resumed.
        session.headers.update({"User-Agent": f"ai-inpaint/{__version__}", "Accept-Encoding": "identity"})
        while True:
            before = _length(part)
            try:
                return _receive(session, url, part, size, progress)
            except _BrokenOff as broken:
                failures = 0 if broken.resumed and _length(part) > before else failures + 1
                if failures > len(pauses):
                    raise broken.problem from broken
                time.sleep(pauses[max(failures - 1, 0)])


def _receive(session: requests.Session, url: str, part: Path, size: int, progress: Progress) -> None:
    """One attempt."""
    have = _length(part)
    if size and have >= size:
        if have == size:
            return
        part.unlink()
        have = 0
    host = urlsplit(url).hostname or url
    resumed = False
    try:
        headers = {"Range": f"bytes={have}-"} if have else {}
        timeout = (CONNECT_WITHIN, SILENT_FOR)
        with session.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            if answer.status_code == 416:  # there is nothing beyond what we have: it is no part of this file
                part.unlink()
                raise _BrokenOff(_failed(f"{host} has less of the file than was fetched before."))
            _check_status(answer, host)
            start = _start(answer, have)
            resumed = start > 0
            total = _total(answer, start)
            if size and total and total != size:
                raise InpaintError(
                    BAD_WEIGHTS,
                    f"{host} has another file than the published one: {total} bytes, not {size}.",
                    "Perhaps the network asks you to log in first; else download the file by hand.",
                )
            _check_room(part, (size or total) - start)
            _write(answer, part, start, size or total, progress)
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as problem:
        raise _failed(
            f"The certificate of {host} cannot be trusted.",
            "Check the clock; behind a company's proxy, let REQUESTS_CA_BUNDLE name its certificate.",
        ) from problem
    except requests.exceptions.ProxyError as problem:
        raise _BrokenOff(_failed("The proxy does not answer.", "Check HTTPS_PROXY.")) from problem
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as problem:
        if _is_cut_off(problem):
            raise _BrokenOff(
                InpaintError(
                    OFFLINE,
                    f"There is no connection to {host}.",
                    "Check the network; or download the file on another computer, and bring it by "
                    "ai-inpaint models import FILE.",
                )
            ) from problem
        raise _BrokenOff(_failed(f"The connection to {host} breaks off.", _LATER), resumed) from problem
    except urllib3.exceptions.HTTPError as problem:
        raise _BrokenOff(_failed(f"The connection to {host} breaks off.", _LATER), resumed) from problem
    except requests.exceptions.RequestException as problem:  # such as an address that is none
        raise _failed(f"{url} cannot be fetched: {problem}.") from problem
    except OSError as problem:
        raise disk_problem(problem, part.parent) from problem


def _is_cut_off(problem: Exception) -> bool:
    """Whether no connection came about at all, rather than one that did not last."""
    reason = getattr(problem.args[0] if problem.args else None, "reason", None)
    never = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return isinstance(reason, never) or isinstance(problem, requests.exceptions.ConnectTimeout)


def _check_status(answer: requests.Response, host: str) -> None:
    code = answer.status_code
    if code in (200, 206):
        return
    problem = _failed(f"{host} answers {code} {answer.reason}.".replace(" .", "."), _LATER)
    if code in _PASSING:
        raise _BrokenOff(problem)
    problem.hint = "Download the file by hand, and bring it by ai-inpaint models import FILE."
    raise problem


def _start(answer: requests.Response, have: int) -> int:
    """From where on the file is sent: a server may send it whole, whatever was asked for."""
    if answer.status_code == 200:
        return 0
    text = answer.headers.get("Content-Range", "")
    first = text.removeprefix("bytes ").partition("-")[0]
    if not first.isdigit() or int(first) > have:
        raise _failed("The server sends another part of the file than was asked for.", _LATER)
    return int(first)


def _total(answer: requests.Response, start: int) -> int:
    """Bytes of the whole file as the server announces it; 0 where it does not."""
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else 0


def _write(answer: requests.Response, part: Path, start: int, total: int, progress: Progress) -> None:
    reached = start
    with part.open("r+b" if start else "wb", buffering=0) as file:
        if start:
            file.seek(start)
            file.truncate()
        while block := answer.raw.read1(_BLOCK):
            reached += len(block)
            if total and reached > total:
                raise InpaintError(
                    BAD_WEIGHTS, "The server sends more than the published file.", "Try again later."
                )
            file.write(block)
            progress(reached / total if total else 0.0, STAGE)
        os.fsync(file.fileno())
    if total and reached < total:
        raise urllib3.exceptions.IncompleteRead(reached, total - reached)


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > 0 and free < needed + _KEEP_FREE:
        raise InpaintError(
            NO_SPACE,
            f"The file needs {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free at {part.parent}.",
            "Make room, or let AI_INPAINT_MODELS name a folder on another disk.",
        )


def disk_problem(problem: OSError, folder: Path) -> InpaintError:
    """What to tell about a folder that cannot be written to."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return InpaintError(
            NO_SPACE,
            f"The disk is full: {folder}.",
            "Make room, or let AI_INPAINT_MODELS name a folder on another disk.",
        )
    return _failed(
        f"The folder {folder} cannot be used: {problem.strerror or problem}.",
        "Make it writable for your user, or let AI_INPAINT_MODELS name another one.",
    )


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _failed(message: str, hint: str = "") -> InpaintError:
    return InpaintError(DOWNLOAD_FAILED, message, hint)
