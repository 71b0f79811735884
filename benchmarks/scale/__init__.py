"""``python -m benchmarks.scale``: durable runs on PostgreSQL and Redis, beside peers on the same servers."""
