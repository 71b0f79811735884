UPDATE runs SET state = :state, error = :error, finished_at = :now, worker_id = NULL, sticky_worker = NULL, epoch = epoch + :fence
WHERE id = :id AND state = :before
RETURNING id, env, task, queue, attempt, epoch, awaited, has_waits, idempotency_key, cancel_requested_at
