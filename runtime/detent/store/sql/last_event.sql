SELECT max(seq) AS seq FROM events
