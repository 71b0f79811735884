SELECT * FROM bulk_actions WHERE ended_at IS NULL ORDER BY served_at LIMIT 1
