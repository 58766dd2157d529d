-- Bids with bidder and item.

CREATE TABLE q23 (
  auction BIGINT,
  price BIGINT,
  `name` STRING,
  itemName STRING
) WITH (
  'bucket' = '-1'
);

INSERT INTO q23
SELECT b.auction, b.price, p.`name`, a.itemName
FROM ods.bid AS b
JOIN ods.person AS p ON b.bidder = p.id
JOIN ods.auction AS a ON b.auction = a.id;
