INSERT INTO streams (run_id, name, env, writer, attempt, held, settled, base, next_seq, bytes, closed)
VALUES (:run_id, :name, :env, :writer, :attempt, :held, :settled, :base, :next_seq, :bytes, :closed)
ON CONFLICT (run_id, name) DO UPDATE SET writer = excluded.writer, attempt = excluded.attempt, held = excluded.held,
    settled = excluded.settled, base = excluded.base, next_seq = excluded.next_seq, bytes = excluded.bytes,
    closed = excluded.closed
