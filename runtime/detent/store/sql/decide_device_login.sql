UPDATE device_logins SET person_id = :person_id, denied = :denied
WHERE user_code = :user_code AND expires_at > :now AND person_id IS NULL AND denied = 0
RETURNING client
