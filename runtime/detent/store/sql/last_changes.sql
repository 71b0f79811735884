SELECT coalesce((SELECT max(seq) FROM events), 0) AS event,
       coalesce((SELECT max(note) FROM run_notes), 0) AS note,
       coalesce((SELECT max(id) FROM stream_chunks), 0) AS chunk
