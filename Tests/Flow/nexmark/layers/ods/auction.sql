-- Items that are sold. `dateTime` is in milliseconds since 1970; ts is the same as a time.

CREATE TEMPORARY TABLE auction_lines (
  id          BIGINT,
  itemName    STRING,
  description STRING,
  initialBid  BIGINT,
  reserve     BIGINT,
  `dateTime`  BIGINT,
  expires     BIGINT,
  seller      BIGINT,
  category    BIGINT,
  extra       STRING
) WITH (
  'connector' = 'filesystem',
  'path' = 'input/auction',
  'format' = 'json'
);

CREATE TABLE auction (
  id          BIGINT,
  itemName    STRING,
  description STRING,
  initialBid  BIGINT,
  reserve     BIGINT,
  `dateTime`  BIGINT,
  expires     BIGINT,
  seller      BIGINT,
  category    BIGINT,
  extra       STRING,
  ts          TIMESTAMP(3),
  WATERMARK FOR ts AS ts
) WITH (
  'bucket' = '-1'
);

INSERT INTO auction
SELECT id, itemName, description, initialBid, reserve, `dateTime`, expires, seller, category, extra, CAST(TO_TIMESTAMP_LTZ(`dateTime`, 3) AS TIMESTAMP(3))
FROM auction_lines;
