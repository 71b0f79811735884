SELECT count(*) AS n FROM alerts WHERE env = :env
