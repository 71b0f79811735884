DELETE FROM supervisors WHERE id = :id AND env = :env
