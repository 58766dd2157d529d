-- The highest bids of each ten seconds.

CREATE TABLE q7 (
  auction BIGINT,
  price BIGINT,
  bidder BIGINT,
  `dateTime` BIGINT
) WITH (
  'bucket' = '-1'
);

INSERT INTO q7
SELECT b.auction, b.price, b.bidder, b.`dateTime`
FROM ods.bid AS b
JOIN (
  SELECT MAX(price) AS highest, TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_start) / 10 AS w
  FROM TABLE(TUMBLE(TABLE ods.bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) AS best ON b.price = best.highest AND b.`dateTime` / 10000 = best.w;
