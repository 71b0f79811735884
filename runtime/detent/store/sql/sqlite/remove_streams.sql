DELETE FROM streams WHERE run_id IN (SELECT value FROM json_each(:ids))
