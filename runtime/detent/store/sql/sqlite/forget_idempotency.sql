DELETE FROM idempotency WHERE expires_at <= :now
