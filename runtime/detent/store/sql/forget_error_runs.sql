DELETE FROM error_runs WHERE env = :env AND fingerprint = :fingerprint
