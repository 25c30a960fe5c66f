"""The server: `serve` answers every client at once, queues jobs, and hands them to workers.

`loop` is the server itself, `clients` and `security` its side towards the editors, `jobs` the queue, `asking`
what waits for the models' cards, `fetches` the processes that fetch weights, `supervisor` and
`worker_process` its side towards the workers.
"""

from .loop import serve

__all__ = ["serve"]
