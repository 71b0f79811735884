SELECT name FROM queues WHERE env = :env
UNION SELECT queue FROM lanes WHERE env = :env
UNION SELECT CAST(replace(spec, '\u0000', '') AS json) ->> 'queue' FROM tasks WHERE env = :env
