-- Wide orders: every order beside its product and shop, its customer and its payment, as all of them are now.
-- A product that changes its category, or a customer who moves, revises the rows of their orders.

CREATE TABLE orders_wide (
  order_id     BIGINT NOT NULL,
  order_date   DATE NOT NULL COMMENT 'business day of the order',
  status       STRING NOT NULL,
  quantity     INT NOT NULL,
  amount       DECIMAL(12, 2) NOT NULL,
  paid         DECIMAL(12, 2) NOT NULL COMMENT 'what has been paid and not refunded',
  pay_method   STRING,
  pay_status   STRING,
  product_id   BIGINT NOT NULL,
  product_name STRING NOT NULL,
  category     STRING NOT NULL,
  shop_id      BIGINT NOT NULL,
  shop_name    STRING NOT NULL,
  user_id      BIGINT NOT NULL,
  city         STRING COMMENT 'null when the customer has left',
  user_level   INT,
  created_at   TIMESTAMP(3) NOT NULL,
  updated_at   TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (order_id) NOT ENFORCED
) WITH (
  'bucket' = '2',
  -- The tags of the ODS tables arrive here as barriers: dt = T is the join of their dt = T.
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
);

INSERT INTO orders_wide
SELECT
  o.order_id,
  CAST(o.created_at AS DATE) AS order_date,
  o.status,
  o.quantity,
  o.amount,
  CASE WHEN pay.status = 'succeeded' THEN pay.amount ELSE 0.00 END AS paid,
  pay.`method` AS pay_method,
  pay.status AS pay_status,
  o.product_id,
  p.product_name,
  p.category,
  p.shop_id,
  p.shop_name,
  o.user_id,
  u.city,
  u.level AS user_level,
  o.created_at,
  o.updated_at
FROM ods.orders AS o
JOIN ods.products AS p ON p.product_id = o.product_id
LEFT JOIN ods.users AS u ON u.user_id = o.user_id
LEFT JOIN ods.payments AS pay ON pay.order_id = o.order_id;
