"""Codecs: what a push provider wants on the wire, and what its answers mean. No I/O."""
