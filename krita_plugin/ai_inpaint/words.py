"""What is said in Krita and in no other editor."""

from __future__ import annotations

from .backend.client import refusals
from .backend.client import words as shared
from .backend.client.form import Choice
from .backend.wire.errors import BAD_IMAGE, BUSY, InpaintError

TITLE = "AI Inpaint"

_WORDS = " It said: "  # as the launcher quotes a backend that ended at once


def layer_gone() -> InpaintError:
    """A layer was removed between being chosen and being read."""
    return InpaintError(
        BAD_IMAGE, "The layer that was to be read is no longer there.", "Choose another one in the dialog."
    )


def colour_space(name: str) -> InpaintError:
    """Krita could not convert."""
    return InpaintError(
        BAD_IMAGE,
        f"Krita cannot convert between this picture's colours and {name}.",
        "Convert the picture to RGB with Image ▸ Convert Image Colour Space, and try again.",
    )


def already(name: str) -> InpaintError:
    """A second fill for a picture that is being filled."""
    return InpaintError(
        BUSY, f"“{name}” is being filled already.", "Wait for that fill, or cancel it in its window."
    )


def sentence(problem: InpaintError) -> str:
    """What went wrong and what to do, for a message box: of a program's long last words the last line."""
    lines = [line.strip() for line in problem.message.splitlines() if line.strip()]
    if len(lines) > 1:
        what, mark, _ = lines[0].partition(_WORDS)
        problem = InpaintError(problem.code, what + (mark or " ") + lines[-1], problem.hint)
    return refusals.sentence(problem)


def fetch(choice: Choice) -> str:
    """What fetching a model means, before it is done."""
    return f"Fetch the model “{choice.title}”?\n{shared.terms(choice)}".rstrip()
