UPDATE runs SET metadata = :metadata WHERE id = :id
