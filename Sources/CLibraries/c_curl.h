#include <curl/curl.h>
#include <string.h>

// What curl's variadic calls are in C, Swift cannot call.

static inline CURLcode terrace_curl_text(CURL *curl, CURLoption option, const char *text) {
  return curl_easy_setopt(curl, option, text);
}

static inline CURLcode terrace_curl_number(CURL *curl, CURLoption option, long number) {
  return curl_easy_setopt(curl, option, number);
}

static inline CURLcode terrace_curl_body(CURL *curl, const void *bytes, curl_off_t count) {
  CURLcode code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, count);
  return code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)bytes);
}

static inline CURLcode terrace_curl_headers(CURL *curl, struct curl_slist *headers) {
  return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
}

// The first bytes of an answer, for messages; an answer of over a megabyte is cut off.
struct terrace_curl_answer {
  char text[512], error[CURL_ERROR_SIZE];
  size_t kept, seen;
};

static inline size_t terrace_curl_take(char *bytes, size_t size, size_t count, void *target) {
  struct terrace_curl_answer *answer = (struct terrace_curl_answer *)target;
  size_t all = size * count, room = sizeof(answer->text) - answer->kept;
  size_t some = all < room ? all : room;
  memcpy(answer->text + answer->kept, bytes, some);
  answer->kept += some;
  answer->seen += all;
  return answer->seen > (1 << 20) ? 0 : all;
}

static inline CURLcode terrace_curl_answer_to(CURL *curl, struct terrace_curl_answer *answer) {
  answer->kept = answer->seen = 0;
  CURLcode code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, terrace_curl_take);
  if (code == CURLE_OK) code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->error);
  return code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

static inline long terrace_curl_status(CURL *curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// Seconds that a server asks to wait; 0 when it says nothing.
static inline long terrace_curl_pause(CURL *curl) {
  curl_off_t seconds = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
  return (long)seconds;
}
