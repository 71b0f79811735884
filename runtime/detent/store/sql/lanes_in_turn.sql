SELECT concurrency_key FROM lanes WHERE env = :env AND queue = :queue ORDER BY served LIMIT :n OFFSET :skip
