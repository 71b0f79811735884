DELETE FROM error_runs
USING json_to_recordset(CAST(:rows AS json)) AS r (env TEXT, fingerprint TEXT, keep BIGINT)
WHERE error_runs.env = r.env AND error_runs.fingerprint = r.fingerprint AND error_runs.event <= (
    SELECT k.event FROM error_runs k WHERE k.env = r.env AND k.fingerprint = r.fingerprint ORDER BY k.event DESC LIMIT 1 OFFSET r.keep)
