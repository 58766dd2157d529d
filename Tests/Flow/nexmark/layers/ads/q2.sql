-- Bids on some auctions.

CREATE TABLE q2 (
  auction BIGINT,
  price BIGINT
) WITH (
  'bucket' = '-1'
);

INSERT INTO q2
SELECT auction, price
FROM ods.bid
WHERE MOD(auction, 123) = 0;
