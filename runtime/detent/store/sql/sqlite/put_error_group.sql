INSERT INTO error_groups (env, fingerprint, type, message, code, status, count, first_at, last_at, first_run, last_run,
                          changed_at, ignored_until, ignored_count, regressions, regressed_at)
VALUES (:env, :fingerprint, :type, :message, :code, :status, :count, :first_at, :last_at, :first_run, :last_run,
        :changed_at, :ignored_until, :ignored_count, :regressions, :regressed_at)
ON CONFLICT (env, fingerprint) DO UPDATE SET
    type = excluded.type, message = excluded.message, code = excluded.code, status = excluded.status,
    count = excluded.count, last_at = excluded.last_at, last_run = excluded.last_run,
    changed_at = excluded.changed_at, ignored_until = excluded.ignored_until, ignored_count = excluded.ignored_count,
    regressions = excluded.regressions, regressed_at = excluded.regressed_at
