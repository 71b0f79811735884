SELECT id, env, name, events, filters, window_ms, created_at FROM alerts WHERE enabled = 1 ORDER BY seq
