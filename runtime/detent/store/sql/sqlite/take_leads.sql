INSERT INTO leaders (name, holder, until)
SELECT value, :holder, :until FROM json_each(:names) WHERE true
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE leaders.holder = excluded.holder OR leaders.until <= :now
RETURNING name
