UPDATE runs SET given_metadata = coalesce(given_metadata, metadata, '{}'), metadata = :metadata WHERE id = :id
