DELETE FROM answers WHERE env = :env AND key = :key
