INSERT INTO error_groups (env, fingerprint, type, message, code, status, count, first_at, last_at, first_run, last_run,
                          changed_at, ignored_until, ignored_count, regressions, regressed_at)
SELECT env, fingerprint, type, message, code, status, count, first_at, last_at, first_run, last_run,
       changed_at, ignored_until, ignored_count, regressions, regressed_at
FROM json_to_recordset(CAST(:rows AS json)) AS r (
    env TEXT, fingerprint TEXT, type TEXT, message TEXT, code TEXT, status TEXT, count BIGINT, first_at BIGINT, last_at BIGINT,
    first_run TEXT, last_run TEXT, changed_at BIGINT, ignored_until BIGINT, ignored_count BIGINT, regressions BIGINT,
    regressed_at BIGINT)
ON CONFLICT (env, fingerprint) DO UPDATE SET
    type = excluded.type, message = excluded.message, code = excluded.code, status = excluded.status,
    count = excluded.count, last_at = excluded.last_at, last_run = excluded.last_run,
    changed_at = excluded.changed_at, ignored_until = excluded.ignored_until, ignored_count = excluded.ignored_count,
    regressions = excluded.regressions, regressed_at = excluded.regressed_at
