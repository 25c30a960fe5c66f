"""The store of weights: fetched, imported, verified, removed.

`models.zoo` knows what is published and what is there; this package changes what is there. What appears
in the folder of weights is whole and was checked, or it does not appear.
"""

from .fetching import MIRROR_VARIABLE, OFFLINE_VARIABLE, fetch
from .importing import import_weights
from .shelf import remove, verify

__all__ = ["MIRROR_VARIABLE", "OFFLINE_VARIABLE", "fetch", "import_weights", "remove", "verify"]
