INSERT INTO runs (id, env, task, queue, concurrency_key, state, version, order_at, wake_at, expires_at, ttl_ms,
                  created_at, queued_at, max_attempts, max_duration_ms, machine, priority, payload, payload_ref, metadata,
                  tags, idempotency_key, parent_id, root_id, batch_id, awaited)
VALUES (:id, :env, :task, :queue, :concurrency_key, :state, :version, :order_at, :wake_at, :expires_at, :ttl_ms,
        :now, :queued_at, :max_attempts, :max_duration_ms, :machine, :priority, :payload, :payload_ref, :metadata,
        :tags, :idempotency_key, :parent_id, :root_id, :batch_id, :awaited)
