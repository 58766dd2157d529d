-- People who sell and bid. `dateTime` is in milliseconds since 1970; ts is the same as a time.

CREATE TEMPORARY TABLE person_lines (
  id           BIGINT,
  `name`       STRING,
  emailAddress STRING,
  creditCard   STRING,
  city         STRING,
  `state`      STRING,
  `dateTime`   BIGINT,
  extra        STRING
) WITH (
  'connector' = 'filesystem',
  'path' = 'input/person',
  'format' = 'json'
);

CREATE TABLE person (
  id           BIGINT,
  `name`       STRING,
  emailAddress STRING,
  creditCard   STRING,
  city         STRING,
  `state`      STRING,
  `dateTime`   BIGINT,
  extra        STRING,
  ts           TIMESTAMP(3),
  WATERMARK FOR ts AS ts
) WITH (
  'bucket' = '-1'
);

INSERT INTO person
SELECT id, `name`, emailAddress, creditCard, city, `state`, `dateTime`, extra, CAST(TO_TIMESTAMP_LTZ(`dateTime`, 3) AS TIMESTAMP(3))
FROM person_lines;
