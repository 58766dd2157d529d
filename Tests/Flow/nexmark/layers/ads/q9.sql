-- The winning bid of each auction.

CREATE TABLE q9 (
  id BIGINT NOT NULL,
  itemName STRING,
  seller BIGINT,
  category BIGINT,
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  bid_time BIGINT,
  PRIMARY KEY (id) NOT ENFORCED
) WITH (
  'bucket' = '1'
);

INSERT INTO q9
SELECT id, itemName, seller, category, auction, bidder, price, bid_time
FROM (
  SELECT
    a.id, a.itemName, a.seller, a.category, b.auction, b.bidder, b.price, b.`dateTime` AS bid_time,
    ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.`dateTime` ASC, b.bidder ASC, b.extra ASC) AS place
  FROM ods.auction AS a
  JOIN ods.bid AS b ON a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
)
WHERE place = 1;
