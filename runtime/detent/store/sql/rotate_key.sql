UPDATE api_keys SET rotated_to = :rotated_to, revoked_at = :until WHERE id = :id AND revoked_at IS NULL
