SELECT count(*) AS n FROM runs q JOIN runs me ON me.id = :id
WHERE q.env = me.env AND q.queue = me.queue AND q.state = 'QUEUED'
  AND (q.resume > me.resume OR (q.resume = me.resume AND (q.order_at < me.order_at OR (q.order_at = me.order_at AND q.seq <= me.seq))))
