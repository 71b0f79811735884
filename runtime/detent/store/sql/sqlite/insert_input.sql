INSERT INTO inputs (run_id, stream, seq, env, value, by, at, taken)
SELECT :run_id, :stream, 1 + coalesce(max(seq), 0), :env, :value, :by, :now, 0
FROM inputs WHERE run_id = :run_id AND stream = :stream RETURNING *
