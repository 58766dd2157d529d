-- Bids with their auctions, of one category.

CREATE TABLE q20 (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  itemName STRING,
  category BIGINT
) WITH (
  'bucket' = '-1'
);

INSERT INTO q20
SELECT b.auction, b.bidder, b.price, b.channel, a.itemName, a.category
FROM ods.bid AS b
JOIN ods.auction AS a ON b.auction = a.id
WHERE a.category = 10;
