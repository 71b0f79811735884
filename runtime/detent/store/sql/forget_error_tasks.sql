DELETE FROM error_tasks WHERE env = :env AND fingerprint = :fingerprint
