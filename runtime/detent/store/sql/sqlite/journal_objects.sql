SELECT value_ref FROM journal
WHERE run_id IN (SELECT value FROM json_each(:ids)) AND value_ref IS NOT NULL
