UPDATE removed_objects SET due_at = :due_at, tries = tries + 1 WHERE key IN (SELECT value FROM json_each(:keys))
