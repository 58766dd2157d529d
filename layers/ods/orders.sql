-- Orders as the shop's database holds them: one row an order, in its newest state.
-- Debezium tells each creation, status change and delete.

CREATE TEMPORARY TABLE order_changes (
  order_id   BIGINT NOT NULL,
  user_id    BIGINT NOT NULL,
  product_id BIGINT NOT NULL,
  quantity   INT NOT NULL,
  amount     DECIMAL(12, 2) NOT NULL,
  status     STRING NOT NULL,
  created_at TIMESTAMP(3) NOT NULL,
  updated_at TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (order_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'filesystem',
  'path' = 'input/orders',
  'format' = 'debezium-json',
  'source.monitor-interval' = '100 ms'
);

CREATE TABLE orders (
  order_id   BIGINT NOT NULL,
  user_id    BIGINT NOT NULL,
  product_id BIGINT NOT NULL,
  quantity   INT NOT NULL,
  amount     DECIMAL(12, 2) NOT NULL,
  status     STRING NOT NULL COMMENT 'created, paid, shipped, completed or cancelled',
  created_at TIMESTAMP(3) NOT NULL,
  updated_at TIMESTAMP(3) NOT NULL COMMENT 'time of the newest change, in the shop',
  PRIMARY KEY (order_id) NOT ENFORCED
) WITH (
  'bucket' = '2',
  -- A tag a day, cut where the stream passes five minutes after midnight; readers see it as a partition.
  'tag.automatic-creation' = 'watermark',
  'tag.creation-period' = 'daily',
  'tag.creation-delay' = '5 min',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
);

INSERT INTO orders
SELECT order_id, user_id, product_id, quantity, amount, status, created_at, updated_at
FROM order_changes;
