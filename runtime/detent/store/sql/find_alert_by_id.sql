SELECT * FROM alerts WHERE id = :id
