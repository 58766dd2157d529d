-- The folders of each bid's address.

CREATE TABLE q22 (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  d1 STRING,
  d2 STRING,
  d3 STRING
) WITH (
  'bucket' = '-1'
);

INSERT INTO q22
SELECT auction, bidder, price, SPLIT_INDEX(url, '/', 3), SPLIT_INDEX(url, '/', 4), SPLIT_INDEX(url, '/', 5)
FROM ods.bid;
