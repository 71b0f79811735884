SELECT request, at, sealed FROM answers WHERE env = :env AND key = :key
