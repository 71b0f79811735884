SELECT device_hash, user_code, client, expires_at, person_id, denied FROM device_logins WHERE device_hash = :device_hash
