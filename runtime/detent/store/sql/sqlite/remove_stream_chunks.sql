DELETE FROM stream_chunks WHERE run_id IN (SELECT value FROM json_each(:ids))
