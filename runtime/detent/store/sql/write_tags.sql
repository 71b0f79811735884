UPDATE runs SET tags = :tags WHERE id = :id
