"""HPACK (RFC 7541), header compression: knows bytes and tables, nothing of frames.

The encoder writes header blocks that can be used again for many requests; the decoder reads
whatever a legal encoder writes, within bounds.
"""
