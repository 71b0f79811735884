DELETE FROM workers WHERE id = :id AND parent IS NOT NULL
