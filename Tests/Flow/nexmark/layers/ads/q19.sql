-- The ten highest bids of each auction.

CREATE TABLE q19 (
  auction BIGINT NOT NULL,
  bidder BIGINT,
  price BIGINT,
  rn BIGINT NOT NULL,
  PRIMARY KEY (auction, rn) NOT ENFORCED
) WITH (
  'bucket' = '1'
);

INSERT INTO q19
SELECT auction, bidder, price, rn
FROM (
  SELECT auction, bidder, price,
    ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, `dateTime` ASC, bidder ASC, extra ASC) AS rn
  FROM ods.bid
)
WHERE rn <= 10;
