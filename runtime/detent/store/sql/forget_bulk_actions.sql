DELETE FROM bulk_actions WHERE seq IN (
    SELECT seq FROM bulk_actions WHERE ended_at IS NOT NULL AND ended_at <= :before ORDER BY ended_at LIMIT :n)
