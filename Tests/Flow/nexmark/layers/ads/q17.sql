-- Bids of each auction and day.

CREATE TABLE q17 (
  auction BIGINT NOT NULL,
  `day` STRING NOT NULL,
  total BIGINT,
  lo BIGINT,
  hi BIGINT,
  `sum` BIGINT,
  PRIMARY KEY (auction, `day`) NOT ENFORCED
) WITH (
  'bucket' = '1'
);

INSERT INTO q17
SELECT auction, DATE_FORMAT(ts, 'yyyy-MM-dd'), COUNT(*), MIN(price), MAX(price), SUM(price)
FROM ods.bid
GROUP BY auction, DATE_FORMAT(ts, 'yyyy-MM-dd');
