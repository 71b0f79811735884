UPDATE error_groups SET status = :status, changed_at = :now, ignored_until = :until,
    ignored_count = CASE WHEN :more IS NULL THEN NULL ELSE count + :more END
WHERE env = :env AND fingerprint = :fingerprint
