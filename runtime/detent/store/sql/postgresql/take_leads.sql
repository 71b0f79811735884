INSERT INTO leaders (name, holder, until)
SELECT value, :holder, :until FROM json_array_elements_text(CAST(:names AS json))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE leaders.holder = excluded.holder OR leaders.until <= :now
RETURNING name
