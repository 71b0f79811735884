SELECT * FROM schedules WHERE id = :id AND env = :env
