SELECT id, run_id, stream, seq, n, kind, attempt, parts FROM stream_chunks WHERE id > :id ORDER BY id LIMIT :n
