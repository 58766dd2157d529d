-- The auctions with most bids in the last ten seconds, every two seconds.

CREATE TABLE q5 (
  auction BIGINT NOT NULL,
  n BIGINT,
  window_start TIMESTAMP(3) NOT NULL,
  window_end TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (auction, window_start, window_end) NOT ENFORCED
) WITH (
  'bucket' = '1'
);

INSERT INTO q5
SELECT auction, n, window_start, window_end
FROM (
  SELECT auction, n, window_start, window_end, RANK() OVER (PARTITION BY window_start, window_end ORDER BY n DESC) AS r
  FROM (
    SELECT auction, window_start, window_end, COUNT(*) AS n
    FROM TABLE(HOP(TABLE ods.bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
  )
)
WHERE r = 1;
