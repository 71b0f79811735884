SELECT spec FROM tasks WHERE env = :env AND id = :id
