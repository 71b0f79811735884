SELECT id, email, name, created_at FROM people WHERE id = :id
