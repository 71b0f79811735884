DELETE FROM device_logins WHERE device_hash = :device_hash
