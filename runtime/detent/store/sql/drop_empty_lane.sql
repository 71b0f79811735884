DELETE FROM lanes WHERE env = :env AND queue = :queue AND concurrency_key = :concurrency_key AND NOT EXISTS (
    SELECT 1 FROM runs r WHERE r.env = :env AND r.queue = :queue AND r.concurrency_key = :concurrency_key
                           AND r.state = 'QUEUED')
