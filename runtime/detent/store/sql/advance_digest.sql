UPDATE digest SET seq = :seq WHERE id = 1 AND seq = :before
