SELECT * FROM error_groups WHERE env = :env AND fingerprint = :fingerprint
