/* librdkafka's mock cluster as a process of its own. Built by kafka_tests.py.
 *
 * mockkafka BROKERS: prints "bootstraps HOST:PORT,…", then obeys one command a line on stdin and answers each
 * with one line, "ok …" or "error …":
 *   topic NAME PARTITIONS            make a topic (replicated on all brokers)
 *   down|up BROKER                   a broker goes away or comes back
 *   leader TOPIC PARTITION BROKER    the leader of a partition changes
 *   coordinator group|transaction KEY BROKER
 *   errors APIKEY CODE COUNT         the next COUNT requests of that kind fail
 *   rtt BROKER MILLIS
 * It ends with its stdin.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(rd_kafka_resp_err_t code) {
  if (code) printf("error %s\n", rd_kafka_err2str(code));
  else printf("ok\n");
  fflush(stdout);
}

int main(int argc, char **argv) {
  char text[512], line[1024], a[256], b[256];
  int x, y, z;
  if (argc != 2) return 64;
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "2", text, sizeof text);
  rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  if (!rk) { fprintf(stderr, "%s\n", text); return 1; }
  rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, atoi(argv[1]));
  if (!cluster) return 1;
  printf("bootstraps %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "topic %255s %d", a, &x) == 2) {
      answer(rd_kafka_mock_topic_create(cluster, a, x, atoi(argv[1])));
    } else if (sscanf(line, "down %d", &x) == 1) {
      answer(rd_kafka_mock_broker_set_down(cluster, x));
    } else if (sscanf(line, "up %d", &x) == 1) {
      answer(rd_kafka_mock_broker_set_up(cluster, x));
    } else if (sscanf(line, "leader %255s %d %d", a, &x, &y) == 3) {
      answer(rd_kafka_mock_partition_set_leader(cluster, a, x, y));
    } else if (sscanf(line, "coordinator %255s %255s %d", a, b, &x) == 3) {
      answer(rd_kafka_mock_coordinator_set(cluster, a, b, x));
    } else if (sscanf(line, "errors %d %d %d", &x, &y, &z) == 3 && z > 0 && z <= 1000) {
      rd_kafka_resp_err_t codes[1000];
      for (int i = 0; i < z; i++) codes[i] = y;
      rd_kafka_mock_push_request_errors_array(cluster, x, z, codes);
      answer(0);
    } else if (sscanf(line, "rtt %d %d", &x, &y) == 2) {
      answer(rd_kafka_mock_broker_set_rtt(cluster, x, y));
    } else {
      printf("error unknown command: %s", line);
      fflush(stdout);
    }
  }
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(rk);
  return 0;
}
