"""How things fail, for people and for programs.

Every failure that reaches a user is an `InpaintError`: a stable code, one sentence that says what
went wrong, and one that says what to do. It travels as an `error` message and comes out the same on
the other side.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

# The stable codes. A client may rely on them; new ones may be added, none changes its meaning.
BAD_MESSAGE = "bad-message"  # frames that are no message, or a field of the wrong kind
UNKNOWN_TYPE = "unknown-type"  # a well-formed message of a type that this side does not know
VERSION = "version"  # another major protocol version
TOO_LARGE = "too-large"  # beyond the limits of the server
BUSY = "busy"  # too many jobs already; later there may be room
BAD_IMAGE = "bad-image"  # picture and mask do not fit each other or the protocol
BAD_PARAM = "bad-param"  # a setting of the wrong kind, out of range, or unknown
BAD_GUIDANCE = "bad-guidance"  # a guidance layer that the model does not take
UNKNOWN_MODEL = "unknown-model"
NO_WEIGHTS = "no-weights"  # the model's weights are not on this computer
BAD_WEIGHTS = "bad-weights"  # a file that is no weights, or not those that it should be
OFFLINE = "offline"  # no way to where weights are fetched from, or none allowed
DOWNLOAD_FAILED = "download-failed"
NO_SPACE = "no-space"  # the disk is full
EMPTY_MASK = "empty-mask"  # nothing selected
NO_MOSAIC = "no-mosaic"  # the selected mosaic was to be followed, and there is none
NO_SOURCE = "no-source"  # nothing outside the hole to fill it from
CANCELLED = "cancelled"
OUT_OF_MEMORY = "out-of-memory"
WORKER_DIED = "worker-died"
TIMEOUT = "timeout"  # a worker or the backend stopped answering
SHUTTING_DOWN = "shutting-down"
NOT_RUNNING = "not-running"  # no backend, and none was to be started
LAUNCH_FAILED = "launch-failed"  # a backend was started and did not come up
NOT_INSTALLED = "not-installed"  # install.py has not recorded a backend
UNAUTHORISED = "unauthorised"  # wrong secret or key
TRANSPORT = "transport"  # no transport can do what the connection file asks for
INTERNAL = "internal"  # a defect of ours; the log has the traceback


class InpaintError(Exception):
    """A failure that a user can be shown.

    Attributes:
        code: one of the codes above.
        message: one sentence, what went wrong.
        hint: one sentence, what to do; may be empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__((message + " " + hint).strip())
        self.code = code
        self.message = message
        self.hint = hint

    def as_fields(self) -> Dict[str, Any]:
        """The fields of an `error` message; sentences that quote something endless are cut."""
        return {"code": self.code, "message": self.message[:1000], "hint": self.hint[:1000]}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> InpaintError:
        """The error that an `error` message carries; tolerant of fields a peer left out."""
        return cls(
            str(fields.get("code", INTERNAL)),
            str(fields.get("message", "The backend reported an error without a message.")),
            str(fields.get("hint", "")),
        )
