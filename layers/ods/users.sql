-- Customers. Whoever closes the account is deleted here; the orders stay.

CREATE TEMPORARY TABLE user_changes (
  user_id    BIGINT NOT NULL,
  user_name  STRING NOT NULL,
  city       STRING,
  level      INT NOT NULL,
  updated_at TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (user_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'filesystem',
  'path' = 'input/users',
  'format' = 'debezium-json',
  'source.monitor-interval' = '100 ms'
);

CREATE TABLE users (
  user_id    BIGINT NOT NULL,
  user_name  STRING NOT NULL,
  city       STRING,
  level      INT NOT NULL COMMENT '0 (new) to 5',
  updated_at TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (user_id) NOT ENFORCED
) WITH (
  'bucket' = '1',
  'tag.automatic-creation' = 'watermark',
  'tag.creation-period' = 'daily',
  'tag.creation-delay' = '5 min',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
);

INSERT INTO users
SELECT user_id, user_name, city, level, updated_at
FROM user_changes;
