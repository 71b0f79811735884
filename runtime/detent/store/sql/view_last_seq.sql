SELECT max(seq) AS seq FROM runs
