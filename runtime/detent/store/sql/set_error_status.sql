UPDATE error_groups SET status = :status, changed_at = :now, ignored_until = :until,
    ignored_count = count + CAST(:more AS BIGINT)
WHERE env = :env AND fingerprint = :fingerprint
