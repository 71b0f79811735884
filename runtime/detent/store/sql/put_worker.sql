INSERT INTO workers (id, env, host, pid, pid_started, version, state, beat_at, problems, parent, queues, machines)
VALUES (:id, :env, :host, :pid, :pid_started, :version, 'alive', :now, :problems, :parent, :queues, :machines)
ON CONFLICT (id) DO UPDATE SET state = 'alive', pid = :pid, pid_started = :pid_started, beat_at = :now, problems = :problems,
    version = :version, queues = :queues, machines = :machines
WHERE workers.state <> 'dead'
