-- Bids. `dateTime` is in milliseconds since 1970; ts is the same as a time.

CREATE TEMPORARY TABLE bid_lines (
  auction    BIGINT,
  bidder     BIGINT,
  price      BIGINT,
  channel    STRING,
  url        STRING,
  `dateTime` BIGINT,
  extra      STRING
) WITH (
  'connector' = 'filesystem',
  'path' = 'input/bid',
  'format' = 'json'
);

CREATE TABLE bid (
  auction    BIGINT,
  bidder     BIGINT,
  price      BIGINT,
  channel    STRING,
  url        STRING,
  `dateTime` BIGINT,
  extra      STRING,
  ts         TIMESTAMP(3),
  WATERMARK FOR ts AS ts
) WITH (
  'bucket' = '-1'
);

INSERT INTO bid
SELECT auction, bidder, price, channel, url, `dateTime`, extra, CAST(TO_TIMESTAMP_LTZ(`dateTime`, 3) AS TIMESTAMP(3))
FROM bid_lines;
