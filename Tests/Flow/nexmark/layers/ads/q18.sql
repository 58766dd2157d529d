-- The last bid of each bidder on each auction.

CREATE TABLE q18 (
  auction BIGINT NOT NULL,
  bidder BIGINT NOT NULL,
  price BIGINT,
  `dateTime` BIGINT,
  PRIMARY KEY (auction, bidder) NOT ENFORCED
) WITH (
  'bucket' = '1'
);

INSERT INTO q18
SELECT auction, bidder, price, `dateTime`
FROM (
  SELECT auction, bidder, price, `dateTime`,
    ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY `dateTime` DESC, price DESC, extra DESC) AS place
  FROM ods.bid
)
WHERE place <= 1;
