DELETE FROM removed_objects WHERE key IN (SELECT value FROM json_each(:keys))
