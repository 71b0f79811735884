SELECT min(next_at) AS at FROM alert_deliveries WHERE status = 'PENDING' AND id NOT IN (SELECT value FROM json_array_elements_text(CAST(:busy AS json)))
