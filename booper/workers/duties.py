"""Duties that one node has at a time: the keys of their locks (see `store/nodes.alone`)."""

from __future__ import annotations

LEASES = 0x626F6F01  # to give back leases whose holder is dead or late
SESSIONS = 0x626F6F02  # to forget sessions that expired
ENDS = 0x626F6F03  # to end what nobody could send in time
CHANNELS = 0x626F6F0C  # to take away what hangs on channels that were deleted
REROUTES = 0x626F6F04  # to find another way for what waits for an instance that was deleted
RETENTION = 0x626F6F05  # to archive and delete what is old
PURGES = 0x626F6F06  # to delete what deleted notifications left behind
KEYS = 0x626F6F07  # to forget Idempotency-Keys
QUOTAS = 0x626F6F08  # to forget how many notifications were sent on days long past
DOUBTS = 0x626F6F09  # to forget doubts and absences that mean nothing any more
CODES = 0x626F6F0A  # to forget access codes that are over, and guesses at them
CONFIRMATIONS = 0x626F6F11  # to count what devices confirmed before its outcome was there
CLOSURE = 0x626F6F12  # to delete what deleted apps left behind
PARTITIONS = 0x626F6F13  # to make and drop partitions
POISON = 0x626F6F10  # to park what its holders died of, and to end what is parked for too long
