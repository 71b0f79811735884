INSERT INTO runs (id, env, task, queue, concurrency_key, state, version, order_at, wake_at, expires_at, ttl_ms,
                  created_at, queued_at, max_attempts, max_duration_ms, machine, priority, payload, payload_ref, metadata,
                  tags, idempotency_key, parent_id, root_id, batch_id, awaited)
SELECT r.id, r.env, r.task, r.queue, r.concurrency_key, r.state, r.version, r.order_at, r.wake_at, r.expires_at, r.ttl_ms,
       r.now, r.queued_at, r.max_attempts, r.max_duration_ms, r.machine, r.priority, r.payload, r.payload_ref, r.metadata,
       r.tags, r.idempotency_key, r.parent_id, r.root_id, r.batch_id, r.awaited
FROM json_to_recordset(CAST(:rows AS json)) AS r (
     id TEXT, env TEXT, task TEXT, queue TEXT, concurrency_key TEXT, state TEXT, version TEXT, order_at BIGINT, wake_at BIGINT,
     expires_at BIGINT, ttl_ms BIGINT, now BIGINT, queued_at BIGINT, max_attempts BIGINT, max_duration_ms BIGINT, machine TEXT,
     priority DOUBLE PRECISION, payload TEXT, payload_ref TEXT, metadata TEXT, tags TEXT, idempotency_key TEXT, parent_id TEXT,
     root_id TEXT, batch_id TEXT, awaited BIGINT)
