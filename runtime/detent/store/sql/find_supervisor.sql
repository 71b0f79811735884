SELECT * FROM supervisors WHERE id = :id
