SELECT count(*) AS n FROM device_logins WHERE expires_at > :now
