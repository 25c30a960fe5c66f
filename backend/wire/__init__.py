"""The protocol, written once: standard library and msgpack, Python 3.8 and later.

`messages` says what travels, `codec` turns it into frames and back, `params` checks settings,
`pixels` names pixel formats, `geometry` computes the region to send, `errors` is how things fail.
"""
