DELETE FROM leaders WHERE holder = :holder
