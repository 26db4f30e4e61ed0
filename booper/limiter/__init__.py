"""Limiters: the adapters that count. In this process (`memory`), or shared by nodes (`redis`)."""

from booper.limiter.memory import MemoryLimiter
from booper.limiter.redis import RedisLimiter, open_redis_limiter

__all__ = ["MemoryLimiter", "RedisLimiter", "open_redis_limiter"]
