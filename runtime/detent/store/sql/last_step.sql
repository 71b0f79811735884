SELECT key, kind, target FROM journal WHERE run_id = :run_id AND status = 'ok' ORDER BY seq DESC, at DESC LIMIT 1
