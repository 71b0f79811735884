UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, :now), cancel_reason = :reason
WHERE id = :id AND state = 'EXECUTING' AND cancel_requested_at IS NULL RETURNING id, worker_id, epoch, attempt
