UPDATE digest SET seq = (SELECT coalesce(max(seq), 0) FROM events)
WHERE id = 1 AND seq > (SELECT coalesce(max(seq), 0) FROM events)
