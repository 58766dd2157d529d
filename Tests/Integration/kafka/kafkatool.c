/* Writes and reads topics for tests and benchmarks. Built by kafka_tests.py and Benchmarks/kafka.py.
 *
 * kafkatool SERVERS produce TOPIC < lines    each line "PARTITION<TAB>KEY<TAB>VALUE"; KEY "-": none, VALUE "-": a
 *                                            tombstone, "\n" and "\t" in VALUE stand for the bytes; an optional
 *                                            fourth field is the time in milliseconds
 * kafkatool SERVERS fill TOPIC ROWS          rows of about 1 KB with ids from 0 on, over all partitions in turn
 * kafkatool SERVERS consume TOPIC            all that is there, as "PARTITION<TAB>OFFSET<TAB>KEY<TAB>VALUE"
 * kafkatool SERVERS count TOPIC              a bare loop over all that is there: "MESSAGES BYTES SECONDS CPU"
 * kafkatool SERVERS ends TOPIC               "PARTITION<TAB>END" of each partition
 * kafkatool SERVERS feed TOPIC ROWS FACTOR NULLS   obeys lines "FROM TO": writes rows of about 1 KB whose ids are number * FACTOR
 *                                            mod ROWS, name1 null in ids that NULLS divides (0: none), to all partitions in
 *                                            turn, and answers "ok" when they are there; "poison": a record that is none to each
 * kafkatool SERVERS follow TOPIC ROWS        takes what comes until its stdin ends: "MESSAGES DISTINCT SUM WRONG", of ids under ROWS
 * kafkatool SERVERS committed GROUP TOPIC    "PARTITION<TAB>OFFSET<TAB>METADATA" of each partition
 * kafkatool SERVERS watch GROUP TOPIC        answers each line with the sum of those offsets
 */
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char *servers;
static int failed;

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char text[512];
  if (rd_kafka_conf_set(conf, name, value, text, sizeof text)) {
    fprintf(stderr, "%s\n", text);
    exit(1);
  }
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
  char text[512];
  set(conf, "bootstrap.servers", servers);
  set(conf, "log_level", "2");
  rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
  if (!rk) { fprintf(stderr, "%s\n", text); exit(1); }
  return rk;
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
  (void)rk; (void)opaque;
  if (message->err) {
    if (!failed++) fprintf(stderr, "not delivered: %s\n", rd_kafka_err2str(message->err));
  }
}

static size_t unescaped(char *text) {
  char *out = text;
  for (char *in = text; *in; in++) {
    if (in[0] == '\\' && in[1] == 'n') { *out++ = '\n'; in++; }
    else if (in[0] == '\\' && in[1] == 't') { *out++ = '\t'; in++; }
    else *out++ = *in;
  }
  return out - text;
}

static rd_kafka_t *producer(const char *linger, const char *messages) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "linger.ms", linger);
  set(conf, "queue.buffering.max.messages", messages);
  set(conf, "enable.idempotence", "true");
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  return client(RD_KAFKA_PRODUCER, conf);
}

static int produce(const char *topic) {
  rd_kafka_t *rk = producer("20", "1000000");
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while ((length = getline(&line, &room, stdin)) > 0) {
    if (line[length - 1] == '\n') line[--length] = 0;
    char *key = strchr(line, '\t');
    char *value = key ? strchr(key + 1, '\t') : NULL;
    if (!value) { fprintf(stderr, "no line of three fields: %s\n", line); return 1; }
    *key++ = 0;
    *value++ = 0;
    char *time = strchr(value, '\t');
    if (time) *time++ = 0;
    int isTombstone = strcmp(value, "-") == 0, hasKey = strcmp(key, "-") != 0;
    size_t size = isTombstone ? 0 : unescaped(value);
    rd_kafka_resp_err_t code;
    while ((code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(atoi(line)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(hasKey ? key : NULL, hasKey ? strlen(key) : 0),
        RD_KAFKA_V_VALUE(isTombstone ? NULL : value, size), RD_KAFKA_V_TIMESTAMP(time ? atoll(time) : 0),
        RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) rd_kafka_poll(rk, 50);
    if (code) { fprintf(stderr, "%s\n", rd_kafka_err2str(code)); return 1; }
    rd_kafka_poll(rk, 0);
  }
  for (int i = 0; i < 60 && rd_kafka_flush(rk, 1000); i++) {}
  if (rd_kafka_outq_len(rk)) { fprintf(stderr, "not all was acknowledged\n"); failed++; }
  rd_kafka_destroy(rk);
  return failed != 0;
}

static int partitions(rd_kafka_t *rk, const char *topic) {
  const struct rd_kafka_metadata *metadata;
  rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
  rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &metadata, 20000);
  if (code) { fprintf(stderr, "%s\n", rd_kafka_err2str(code)); exit(1); }
  int count = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(rkt);
  return count;
}

static void text(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == '\n') fputs("\\n", stdout);
    else if (bytes[i] == '\t') fputs("\\t", stdout);
    else putchar(bytes[i]);
  }
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static int consume(const char *topic, int prints) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "enable.partition.eof", "true");
  set(conf, "group.id", "kafkatool");
  set(conf, "enable.auto.commit", "false");
  if (!prints) {
    // As terrace has them.
    set(conf, "queued.max.messages.kbytes", "32768");
    set(conf, "queued.min.messages", "1000000");
    set(conf, "fetch.wait.max.ms", "100");
    set(conf, "fetch.error.backoff.ms", "100");
  }
  rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
  double started = seconds();
  int count = partitions(rk, topic), left = count;
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
  for (int p = 0; p < count; p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(rk, list);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
  static rd_kafka_message_t *messages[65536];
  long total = 0, bytes = 0;
  while (left > 0) {
    ssize_t got = rd_kafka_consume_batch_queue(queue, 100, messages, 65536);
    if (seconds() - started > 300) { fprintf(stderr, "%d partitions do not end\n", left); return 1; }
    for (ssize_t i = 0; i < got; i++) {
      rd_kafka_message_t *m = messages[i];
      if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) left--;
      else if (!m->err) {
        total++;
        bytes += m->len;
        if (prints) {
          printf("%d\t%lld\t", m->partition, (long long)m->offset);
          if (m->key) text(m->key, m->key_len); else putchar('-');
          putchar('\t');
          if (m->payload) text(m->payload, m->len); else putchar('-');
          putchar('\n');
        }
      }
      rd_kafka_message_destroy(m);
    }
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  if (!prints) printf("%ld %ld %.3f %.3f\n", total, bytes, seconds() - started,
      usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  fflush(stdout);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(rk);
  rd_kafka_destroy(rk);
  return 0;
}

static int fill(const char *topic, long rows) {
  char value[1024], filling[801];
  rd_kafka_t *rk = producer("50", "100000");
  int count = partitions(rk, topic);
  rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
  memset(filling, 'x', 800);
  filling[800] = 0;
  for (long i = 0; i < rows; i++) {
    int size = snprintf(value, sizeof value, "{\"name\": \"name %ld\", \"id\": %ld, \"name1\": \"other %ld\", \"num_dou\": %ld.25, \"num_float\": 0.5, "
        "\"num_int\": %ld, \"stringmessages\": \"%s\"}", i, i, i, i, i % 1000, filling);
    while (rd_kafka_produce(rkt, i % count, RD_KAFKA_MSG_F_COPY, value, size, NULL, 0, NULL)) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) { fprintf(stderr, "%s\n", rd_kafka_err2str(rd_kafka_last_error())); return 1; }
      rd_kafka_poll(rk, 50);
    }
  }
  for (int i = 0; i < 120 && rd_kafka_flush(rk, 1000); i++) {}
  if (rd_kafka_outq_len(rk)) { fprintf(stderr, "not all was acknowledged\n"); failed++; }
  rd_kafka_topic_destroy(rkt);
  rd_kafka_destroy(rk);
  return failed != 0;
}

static int feed(const char *topic, long rows, long factor, long nulls) {
  char value[1200], filling[801], line[128];
  rd_kafka_t *rk = producer("20", "1000000");
  int count = partitions(rk, topic);
  rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
  unsigned state = 7;
  while (fgets(line, sizeof line, stdin)) {
    long from = 0, to = count;
    int isPoison = !strncmp(line, "poison", 6);
    if (!isPoison && sscanf(line, "%ld %ld", &from, &to) != 2) return 64;
    for (long i = from; i < to; i++) {
      long id = (long)((unsigned __int128)i * factor % rows);
      for (int k = 0; k < 800; k++) filling[k] = 'a' + ((state = state * 1664525 + 1013904223) >> 24) % 26;
      filling[800] = 0;
      char other[40] = "null";
      if (!nulls || id % nulls) snprintf(other, sizeof other, "\"other %ld\"", id);
      int size = isPoison ? snprintf(value, sizeof value, "{\"id\": \"no number\", \"name\": %ld", i)
        : snprintf(value, sizeof value, "{\"name\": \"n%ld\", \"id\": %ld, \"name1\": %s, \"num_dou\": %ld.25, \"num_float\": 0.5, "
        "\"num_int\": %ld, \"stringmessages\": \"%s\"}", id, id, other, id, id % 1000, filling);
      while (rd_kafka_produce(rkt, i % count, RD_KAFKA_MSG_F_COPY, value, size, NULL, 0, NULL)) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) { fprintf(stderr, "%s\n", rd_kafka_err2str(rd_kafka_last_error())); return 1; }
        rd_kafka_poll(rk, 50);
      }
    }
    for (int i = 0; i < 120 && rd_kafka_outq_len(rk); i++) rd_kafka_flush(rk, 1000);
    if (failed || rd_kafka_outq_len(rk)) { fprintf(stderr, "not all was acknowledged\n"); return 1; }
    printf("ok\n");
    fflush(stdout);
  }
  rd_kafka_topic_destroy(rkt);
  rd_kafka_destroy(rk);
  return 0;
}

static int follow(const char *topic, long rows) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "group.id", "kafkatool");
  set(conf, "enable.auto.commit", "false");
  rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
  int count = partitions(rk, topic), isEnding = 0;
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
  for (int p = 0; p < count; p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(rk, list);
  rd_kafka_topic_partition_list_destroy(list);
  unsigned char *seen = calloc(rows, 1);
  long total = 0, distinct = 0, wrong = 0;
  unsigned long sum = 0;
  for (int idle = 0; idle < 20;) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    if (!isEnding && poll(&input, 1, 0) > 0) isEnding = 1;
    rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
    // What is on its way when the input ends still counts.
    if (!m) { idle += isEnding; continue; }
    idle = 0;
    if (!m->err) {
      long name = -1, id = -1;
      char text[256] = "";
      if (m->len < sizeof text) memcpy(text, m->payload, m->len);
      if (sscanf(text, "{\"name\":\"n%ld\",\"id\":%ld}", &name, &id) != 2 || name != id || id < 0 || id >= rows) wrong++;
      else if (!seen[id]) { distinct++; seen[id] = 1; sum += id; }
      total++;
    }
    rd_kafka_message_destroy(m);
  }
  printf("%ld %ld %lu %ld\n", total, distinct, sum, wrong);
  rd_kafka_consumer_close(rk);
  rd_kafka_destroy(rk);
  return 0;
}

static int ends(const char *topic) {
  rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, rd_kafka_conf_new());
  for (int p = 0, count = partitions(rk, topic); p < count; p++) {
    int64_t low, high;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, topic, p, &low, &high, 20000);
    if (code) { fprintf(stderr, "%s\n", rd_kafka_err2str(code)); return 1; }
    printf("%d\t%lld\n", p, (long long)high);
  }
  rd_kafka_destroy(rk);
  return 0;
}

static rd_kafka_topic_partition_list_t *offsets(rd_kafka_t *rk, const char *topic) {
  int count = partitions(rk, topic);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
  for (int p = 0; p < count; p++) rd_kafka_topic_partition_list_add(list, topic, p);
  return list;
}

static rd_kafka_t *member(const char *group) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "group.id", group);
  return client(RD_KAFKA_CONSUMER, conf);
}

static int committed(const char *group, const char *topic) {
  rd_kafka_t *rk = member(group);
  rd_kafka_topic_partition_list_t *list = offsets(rk, topic);
  rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, 20000);
  if (code) { fprintf(stderr, "%s\n", rd_kafka_err2str(code)); return 1; }
  for (int i = 0; i < list->cnt; i++)
    printf("%d\t%lld\t%.*s\n", list->elems[i].partition, (long long)list->elems[i].offset,
        (int)list->elems[i].metadata_size, list->elems[i].metadata ? (char *)list->elems[i].metadata : "");
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(rk);
  return 0;
}

static int watch(const char *group, const char *topic) {
  rd_kafka_t *rk = member(group);
  rd_kafka_topic_partition_list_t *list = offsets(rk, topic);
  char line[16];
  long best = 0;
  while (fgets(line, sizeof line, stdin)) {
    long sum = 0;
    // A broker that is away is asked again with the next line.
    rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, 5000);
    for (int i = 0; i < list->cnt; i++) {
      if (!code && list->elems[i].offset > 0) sum += list->elems[i].offset;
      list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    }
    if (sum > best) best = sum;
    printf("%ld\n", best);
    fflush(stdout);
  }
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(rk);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  servers = argv[1];
  if (!strcmp(argv[2], "produce")) return produce(argv[3]);
  if (!strcmp(argv[2], "fill") && argc == 5) return fill(argv[3], atol(argv[4]));
  if (!strcmp(argv[2], "feed") && argc == 7) return feed(argv[3], atol(argv[4]), atol(argv[5]), atol(argv[6]));
  if (!strcmp(argv[2], "follow") && argc == 5) return follow(argv[3], atol(argv[4]));
  if (!strcmp(argv[2], "consume")) return consume(argv[3], 1);
  if (!strcmp(argv[2], "count")) return consume(argv[3], 0);
  if (!strcmp(argv[2], "ends")) return ends(argv[3]);
  if (!strcmp(argv[2], "committed") && argc == 5) return committed(argv[3], argv[4]);
  if (!strcmp(argv[2], "watch") && argc == 5) return watch(argv[3], argv[4]);
  return 64;
}
