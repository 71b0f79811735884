SELECT id, seq, n, kind, attempt, parts FROM stream_chunks
WHERE run_id = :run_id AND stream = :stream
  AND seq >= coalesce((SELECT max(seq) FROM stream_chunks WHERE run_id = :run_id AND stream = :stream AND seq <= :after + 1), 0)
  AND seq + n > :after + 1
ORDER BY seq LIMIT :n
