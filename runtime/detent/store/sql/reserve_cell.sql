INSERT INTO workers (id, env, host, pid, pid_started, state, beat_at, parent)
SELECT :id, env, host, 0, 0, 'alive', :now, id FROM workers WHERE id = :parent AND state <> 'dead'
ON CONFLICT (id) DO NOTHING
