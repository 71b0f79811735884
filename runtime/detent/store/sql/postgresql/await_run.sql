UPDATE runs SET awaited = 1
FROM json_to_recordset(CAST(:rows AS json)) AS r (id TEXT)
WHERE runs.id = r.id
