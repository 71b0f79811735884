UPDATE variables SET sealed = r.sealed
FROM json_to_recordset(CAST(:rows AS json)) AS r (env TEXT, name TEXT, sealed TEXT, before TEXT)
WHERE variables.env = r.env AND variables.name = r.name AND variables.sealed = r.before
