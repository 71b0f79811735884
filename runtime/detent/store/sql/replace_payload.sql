UPDATE runs SET payload = :payload, payload_ref = :payload_ref, metadata = :metadata, tags = :tags WHERE id = :id
