SELECT r.* FROM error_runs e JOIN runs r ON r.id = e.run_id AND r.env = e.env
WHERE e.env = :env AND e.fingerprint = :fingerprint ORDER BY e.event DESC
