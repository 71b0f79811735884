SELECT d.*, a.channel AS channel, a.target AS target, a.secret AS secret, a.old_secret AS old_secret,
       a.old_secret_until AS old_secret_until
FROM alert_deliveries d JOIN alerts a ON a.id = d.alert_id
WHERE d.status = 'PENDING' AND d.next_at <= :now AND d.id NOT IN (SELECT value FROM json_array_elements_text(CAST(:busy AS json)))
  AND d.alert_id NOT IN (SELECT value FROM json_array_elements_text(CAST(:full AS json)))
ORDER BY d.next_at LIMIT :n
