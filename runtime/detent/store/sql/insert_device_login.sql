INSERT INTO device_logins (device_hash, user_code, client, created_at, expires_at)
VALUES (:device_hash, :user_code, :client, :now, :expires_at)
