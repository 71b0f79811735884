INSERT INTO inputs (run_id, stream, seq, env, value, by, at)
SELECT :run_id, :stream, 1 + coalesce(max(seq), 0), :env, :value, :by, :now
FROM inputs WHERE run_id = :run_id AND stream = :stream RETURNING *
