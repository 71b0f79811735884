INSERT INTO stream_chunks (run_id, stream, seq, n, kind, attempt, parts, at)
VALUES (:run_id, :stream, :seq, :n, :kind, :attempt, :parts, :now)
