DELETE FROM run_notes WHERE run_id IN (SELECT value FROM json_each(:ids))
