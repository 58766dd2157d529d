-- Products with the shop that sells them. The stream repeats a product whole whenever something about it
-- changes (a price, a category); the last line of a key counts.

CREATE TEMPORARY TABLE product_changes (
  product_id   BIGINT NOT NULL,
  shop_id      BIGINT NOT NULL,
  shop_name    STRING NOT NULL,
  product_name STRING NOT NULL,
  category     STRING NOT NULL,
  price        DECIMAL(10, 2) NOT NULL,
  updated_at   TIMESTAMP(3) NOT NULL,
  WATERMARK FOR updated_at AS updated_at - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'filesystem',
  'path' = 'input/products',
  'format' = 'json',
  'source.monitor-interval' = '100 ms'
);

CREATE TABLE products (
  product_id   BIGINT NOT NULL,
  shop_id      BIGINT NOT NULL,
  shop_name    STRING NOT NULL,
  product_name STRING NOT NULL,
  category     STRING NOT NULL,
  price        DECIMAL(10, 2) NOT NULL,
  updated_at   TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (product_id) NOT ENFORCED
) WITH (
  'bucket' = '1',
  'tag.automatic-creation' = 'watermark',
  'tag.creation-period' = 'daily',
  'tag.creation-delay' = '5 min',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
);

INSERT INTO products
SELECT product_id, shop_id, shop_name, product_name, category, price, updated_at
FROM product_changes;
