DELETE FROM device_logins WHERE expires_at <= :now
