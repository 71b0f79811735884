SELECT * FROM schedules WHERE env = :env AND deduplication_key = :key AND deduplication_key IS NOT NULL
