SELECT count(*) AS n FROM organizations
