// Parses every line of a file of JSON lines with simdjson, one thread: simdjson_parse FILE REPEATS
// Prints the processor seconds (without the system's) of a repetition, the documents, and the kernel that simdjson took.
#include <cstdio>
#include <cstdlib>
#include <simdjson.h>
#include <sys/resource.h>

static double seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec * 1e-6;
}

int main(int count, char **words) {
  if (count < 3) return 2;
  simdjson::padded_string text;
  if (simdjson::padded_string::load(words[1]).get(text)) return 1;
  simdjson::dom::parser parser;
  int repeats = atoi(words[2]);
  double started = seconds();
  size_t documents = 0;
  for (int round = 0; round < repeats; round++) {
    simdjson::dom::document_stream stream;
    if (parser.parse_many(text, 1 << 20).get(stream)) return 1;
    for (auto document : stream) {
      if (document.error()) { fprintf(stderr, "document %zu: %s\n", documents, simdjson::error_message(document.error())); return 1; }
      documents++;
    }
  }
  printf("%.6f\t%zu\t%s\n", (seconds() - started) / repeats, documents / repeats, simdjson::get_active_implementation()->name().c_str());
}
