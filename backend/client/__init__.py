"""What the editor plugins and the command line share: finding, starting and talking to the backend.

Python 3.8 and later, the standard library and msgpack; pyzmq is used where it can be loaded. No threads,
no signal handlers, no logging: a session works from a timer (`poll` with a time-out) and blocking
(`inpaint`) alike, from one thread at a time.
"""
