UPDATE lanes SET served = (SELECT 1 + max(served) FROM lanes WHERE env = :env AND queue = :queue)
WHERE env = :env AND queue = :queue AND concurrency_key = :concurrency_key
