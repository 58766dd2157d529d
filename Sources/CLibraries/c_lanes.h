// Sixteen bytes at once: instructions of the machine that Swift's own vectors do not reach.
#ifndef TERRACE_LANES_H
#define TERRACE_LANES_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t t_lanes __attribute__((vector_size(16), aligned(1)));
typedef bool t_lane_bits __attribute__((ext_vector_type(16)));

static inline uint32_t t_lane_mask(t_lanes hits) {
  t_lane_bits bits = __builtin_convertvector(hits, t_lane_bits);
  uint16_t mask;
  memcpy(&mask, &bits, sizeof mask);
  return mask;
}
/// One bit for each of the sixteen bytes at `at`: a quote, a backslash or a control character.
static inline uint32_t t_string_mask(const void *_Nonnull at) {
  t_lanes v = *(const t_lanes *)at;
  return t_lane_mask((t_lanes)((v == 0x22) | (v == 0x5c) | (v < 0x20)));
}
/// One bit for each of the sixteen bytes at `at` that is no ASCII.
static inline uint32_t t_high_mask(const void *_Nonnull at) {
  return t_lane_mask((t_lanes)(*(const t_lanes *)at >= 0x80));
}
static inline uint32_t t_utf8_wrong(t_lanes v, t_lanes last, t_lanes second, t_lanes third) {
  t_lanes wanted = (t_lanes)((last >= 0xc0) | (second >= 0xe0) | (third >= 0xf0));
  t_lanes wrong = wanted ^ (t_lanes)((v & 0xc0) == 0x80);
  wrong |= (t_lanes)(((v & 0xfe) == 0xc0) | (v >= 0xf5));
  wrong |= (t_lanes)(((last == 0xe0) & (v < 0xa0)) | ((last == 0xed) & (v >= 0xa0)));
  wrong |= (t_lanes)(((last == 0xf0) & (v < 0x90)) | ((last == 0xf4) & (v >= 0x90)));
  return t_lane_mask(wrong);
}
/// One bit for each of the sixteen bytes at `at` that cannot stand behind the three before it in UTF-8
/// (Unicode 15, table 3-7). A character that begins in them and is cut behind them is no offence.
static inline uint32_t t_utf8_offences(const uint8_t *_Nonnull at) {
  return t_utf8_wrong(*(const t_lanes *)at, *(const t_lanes *)(at - 1), *(const t_lanes *)(at - 2),
                      *(const t_lanes *)(at - 3));
}
/// The same at the beginning of a text, with nothing before it.
static inline uint32_t t_utf8_first_offences(const uint8_t *_Nonnull at) {
  t_lanes v = *(const t_lanes *)at, none = {0};
  return t_utf8_wrong(
      v, __builtin_shufflevector(none, v, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30),
      __builtin_shufflevector(none, v, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29),
      __builtin_shufflevector(none, v, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28));
}
#endif
