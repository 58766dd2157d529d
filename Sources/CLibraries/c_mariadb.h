// libmariadb, and the two calls of a replication client: any command by number, and the raw packets that follow.
// <mariadb_rpl.h> cannot be included on Debian 12 (it asks for a header that is not installed), and is not needed.
#ifndef TERRACE_MARIADB_H
#define TERRACE_MARIADB_H
#include <mariadb/mysql.h>
#include <mariadb/errmsg.h>
#include <mariadb/ma_pvio.h>
#include <iconv.h>
#include <stddef.h>

// Exported, and in no header.
unsigned long mysql_net_read_packet(MYSQL *mysql);

/// Sends a command and waits for no answer. 0, or not 0 with mysql_errno.
static inline int t_mysql_command(MYSQL *mysql, int command, const void *bytes, size_t count) {
  return mysql->methods->db_command(
      mysql, (enum enum_server_command)command, (const char *)bytes, count, 1, NULL);
}
/// The packet that mysql_net_read_packet read last.
static inline const unsigned char *t_mysql_packet(MYSQL *mysql) { return mysql->net.read_pos; }
/// Whether bytes were read from the socket that nobody took yet.
static inline int t_mysql_has_buffered(MYSQL *mysql) {
  MARIADB_PVIO *pvio = mysql->net.pvio;
  return pvio && pvio->cache && pvio->cache + pvio->cache_size > pvio->cache_pos;
}
/// Whether the server calls itself MariaDB.
static inline int t_mysql_is_mariadb(MYSQL *mysql) { return mariadb_connection(mysql) ? 1 : 0; }
static inline int t_mysql_option_uint(MYSQL *mysql, enum mysql_option option, unsigned int value) {
  return mysql_optionsv(mysql, option, (void *)&value);
}
static inline int t_mysql_option_size(MYSQL *mysql, enum mysql_option option, size_t value) {
  return mysql_optionsv(mysql, option, (void *)&value);
}
static inline int t_mysql_option_flag(MYSQL *mysql, enum mysql_option option, int value) {
  my_bool flag = value != 0;
  return mysql_optionsv(mysql, option, (void *)&flag);
}
static inline int t_mysql_option_text(MYSQL *mysql, enum mysql_option option, const char *value) {
  return mysql_optionsv(mysql, option, (void *)value);
}
/// MYSQL_FIELD and MYSQL_ROW without Swift's copies.
static inline const char *t_mysql_cell(MYSQL_ROW row, unsigned int index) { return row[index]; }
#endif
