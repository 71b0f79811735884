UPDATE waitpoints SET idempotency_key = NULL, idempotency_expires_at = NULL WHERE id = :id
