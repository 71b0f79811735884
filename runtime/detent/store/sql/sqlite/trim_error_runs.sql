DELETE FROM error_runs WHERE env = :env AND fingerprint = :fingerprint AND event <= (
    SELECT event FROM error_runs WHERE env = :env AND fingerprint = :fingerprint ORDER BY event DESC LIMIT 1 OFFSET :keep)
