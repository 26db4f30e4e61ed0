"""Servers that behave as the push providers do, over their real protocols.

A simulator is for whoever writes a sender: it checks what the provider checks, answers with the
provider's words, fails on demand (`faults`), and writes down what it accepted (`ledger`). It is
also the other end of the demo and of the tests. What the providers share lives here, what one
provider has to itself in a package of its own (`apns`).
"""
