SELECT * FROM bulk_actions WHERE env = :env AND seq < :before ORDER BY seq DESC LIMIT :n
