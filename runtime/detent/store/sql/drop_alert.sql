DELETE FROM alerts WHERE id = :id AND env = :env
