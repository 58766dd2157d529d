// System calls that Swift's Glibc overlay does not reach, and the prefetch instruction.
#ifndef TERRACE_SYSTEM_H
#define TERRACE_SYSTEM_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Renames without replacing: -1 and errno EEXIST when the new name is taken. Linux 3.15.
static inline int t_rename_noreplace(const char *from, const char *to) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u);
}
/// Starts writing a file's dirty pages to the disk, without waiting. A hint: errors are told by fsync.
static inline void t_start_writeback(int fd) {
  (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}
/// Freed memory up to `keep` bytes stays with the process, and blocks below `mapped` bytes are taken from it.
static inline void t_keep_memory(int mapped, int keep, int step) {
  (void)mallopt(M_MMAP_THRESHOLD, mapped);
  (void)mallopt(M_TRIM_THRESHOLD, keep);
  (void)mallopt(M_TOP_PAD, step);
  // One heap: what one thread frees the others can use. Batches are few and large, so threads seldom meet.
  (void)mallopt(M_ARENA_MAX, 1);
}
static inline void t_prefetch(const void *p) { __builtin_prefetch(p, 0, 1); }
#endif
