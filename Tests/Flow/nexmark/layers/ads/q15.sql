-- Bids of each day, by price, with distinct bidders and auctions.

CREATE TABLE q15 (
  `day` STRING NOT NULL,
  total BIGINT,
  low BIGINT,
  mid BIGINT,
  high BIGINT,
  bidders BIGINT,
  auctions BIGINT,
  PRIMARY KEY (`day`) NOT ENFORCED
) WITH (
  'bucket' = '1'
);

INSERT INTO q15
SELECT
  DATE_FORMAT(ts, 'yyyy-MM-dd'),
  COUNT(*),
  COUNT(*) FILTER (WHERE price < 10000),
  COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000),
  COUNT(*) FILTER (WHERE price >= 1000000),
  COUNT(DISTINCT bidder),
  COUNT(DISTINCT auction)
FROM ods.bid
GROUP BY DATE_FORMAT(ts, 'yyyy-MM-dd');
