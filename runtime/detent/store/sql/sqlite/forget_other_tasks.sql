DELETE FROM tasks WHERE env = :env AND id NOT IN (SELECT value FROM json_each(:ids))
