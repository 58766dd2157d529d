-- Payments, at most one an order, in their newest state. Canal tells their changes.

CREATE TEMPORARY TABLE payment_changes (
  order_id   BIGINT NOT NULL,
  payment_id BIGINT NOT NULL,
  `method`   STRING NOT NULL,
  amount     DECIMAL(12, 2) NOT NULL,
  status     STRING NOT NULL,
  updated_at TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (order_id) NOT ENFORCED,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'filesystem',
  'path' = 'input/payments',
  'format' = 'canal-json',
  'source.monitor-interval' = '100 ms'
);

CREATE TABLE payments (
  order_id   BIGINT NOT NULL,
  payment_id BIGINT NOT NULL,
  `method`   STRING NOT NULL COMMENT 'card, wallet, transfer or cash',
  amount     DECIMAL(12, 2) NOT NULL,
  status     STRING NOT NULL COMMENT 'pending, succeeded or refunded',
  updated_at TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (order_id) NOT ENFORCED
) WITH (
  'bucket' = '1',
  'tag.automatic-creation' = 'watermark',
  'tag.creation-period' = 'daily',
  'tag.creation-delay' = '5 min',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
);

INSERT INTO payments
SELECT order_id, payment_id, `method`, amount, status, updated_at
FROM payment_changes;
