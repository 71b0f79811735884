SELECT * FROM alerts WHERE env = :env ORDER BY seq
