SELECT * FROM waitpoints WHERE id = :id
