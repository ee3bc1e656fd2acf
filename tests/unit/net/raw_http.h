// SPDX-License-Identifier: Apache-2.0
//
// A socket that says exactly what a test wants, for requests that no proper client would send.
#ifndef TESTS_UNIT_NET_RAW_HTTP_H
#define TESTS_UNIT_NET_RAW_HTTP_H

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define RAW_HTTP_REPLY_MAX (12 << 20) // more than a socket holds

struct raw_http {
  int fd;
  char *reply; // NUL-terminated, all that has been read
  size_t len;
  size_t used; // of it, by replies already returned
};

static inline int raw_http_connect(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const struct timeval patience = {.tv_sec = 20};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static inline void raw_http_open(struct raw_http *raw, uint16_t port) {
  raw->fd = raw_http_connect(port);
  raw->reply = calloc(1, RAW_HTTP_REPLY_MAX + 1);
  raw->len = raw->used = 0;
}

static inline void raw_http_close(struct raw_http *raw) {
  if (raw->fd >= 0) close(raw->fd);
  free(raw->reply);
}

static inline void raw_http_send(struct raw_http *raw, const void *bytes, size_t len) {
  for (size_t sent = 0; sent < len;) {
    ssize_t n = send(raw->fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);
    if (n <= 0) return; // the server may close at any time
    sent += (size_t)n;
  }
}

static inline void raw_http_text(struct raw_http *raw, const char *text) {
  raw_http_send(raw, text, strlen(text));
}

// More bytes; 0 at the end of the stream, after a reset and when patience ends (then errno is EAGAIN).
static inline size_t raw_http_more(struct raw_http *raw) {
  errno = 0;
  ssize_t n = recv(raw->fd, raw->reply + raw->len, RAW_HTTP_REPLY_MAX - raw->len, 0);
  if (n <= 0) return 0;
  raw->len += (size_t)n;
  raw->reply[raw->len] = 0;
  return (size_t)n;
}

static inline const char *raw_http_header(const char *reply, const char *name) {
  const char *end = strstr(reply, "\r\n\r\n");
  const char *at = strcasestr(reply, name);
  return at && end && at < end + 2 ? at + strlen(name) : NULL;
}

// Reads one whole reply (with Content-Length, unless it cannot have a body) and returns its code, 0 when the stream
// ended before. The reply's text starts at *out_reply, its body at *out_body.
static inline int raw_http_reply(struct raw_http *raw, const char **out_reply, const char **out_body) {
  const char *start = raw->reply + raw->used;
  const char *end;
  while (!(end = strstr(start, "\r\n\r\n"))) {
    if (!raw_http_more(raw)) return 0;
  }
  int code = atoi(start + strlen("HTTP/1.1 "));
  const char *length = code >= 200 && code != 204 ? raw_http_header(start, "\r\nContent-Length:") : NULL;
  size_t body_len = length ? strtoul(length, NULL, 10) : 0;
  size_t whole = (size_t)(end + 4 - raw->reply) + body_len;
  while (raw->len < whole) {
    if (!raw_http_more(raw)) return 0;
  }
  if (out_reply) *out_reply = start;
  if (out_body) *out_body = end + 4;
  raw->used = whole;
  return code;
}

// True when the server has closed: nothing comes any more and the wait did not just time out.
static inline int raw_http_closed(struct raw_http *raw) {
  return raw_http_more(raw) == 0 && errno != EAGAIN;
}

#endif
