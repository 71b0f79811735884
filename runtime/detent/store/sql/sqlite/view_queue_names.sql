SELECT name FROM queues WHERE env = :env
UNION SELECT queue FROM lanes WHERE env = :env
UNION SELECT json_extract(spec, '$.queue') FROM tasks WHERE env = :env
