// SPDX-License-Identifier: Apache-2.0
//
// How it works: the text is split at its last colon, resolved by getaddrinfo, and the first address that binds is
// taken.
#include "net/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slice.h"

enum { BACKLOG = 1024, HOST_BYTES = 256, PORT_BYTES = 6 };

// False unless text is host:port with a decimal port; brackets around the host are taken off.
static bool split(const char *text, char host[HOST_BYTES], char port[PORT_BYTES]) {
  const char *colon = text ? strrchr(text, ':') : NULL;
  if (!colon) return false;
  struct slice name = slice_make(text, (size_t)(colon - text));
  struct slice digits = slice_from_cstr(colon + 1);
  uint64_t number = 0;
  if (!slice_to_u64(digits, &number) || number > UINT16_MAX || digits.len >= PORT_BYTES) return false;
  if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']') {
    name = slice_sub(name, 1, name.len - 2);
  } else if (slice_find_byte(name, ':') != name.len) {
    return false; // an IPv6 address without brackets
  }
  if (name.len == 0 || name.len >= HOST_BYTES) return false;
  memcpy(host, name.ptr, name.len);
  host[name.len] = 0;
  memcpy(port, digits.ptr, digits.len);
  port[digits.len] = 0;
  return true;
}

static uint16_t port_of(int fd) {
  struct sockaddr_storage storage = {0};
  socklen_t len = sizeof(storage);
  if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0) return 0;
  if (storage.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
  return ntohs(((struct sockaddr_in *)&storage)->sin_port);
}

// A listening socket for one resolved address, or -1 with errno.
static int listen_on(const struct addrinfo *info) {
  int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  // So that a restart does not wait for TIME_WAIT; Linux still refuses a port that another socket listens on.
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

enum status address_listen(const char *address, int *out_fd, uint16_t *out_port, struct error *error) {
  char host[HOST_BYTES];
  char port[PORT_BYTES];
  if (!split(address, host, port)) {
    return error_set(error, STATUS_INVALID, "%s: not an address (host:port, [ipv6]:port)", address ? address : "");
  }
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *list = NULL;
  int failure = getaddrinfo(host, port, &hints, &list);
  if (failure != 0) return error_set(error, STATUS_IO, "%s: %s", address, gai_strerror(failure));
  int fd = -1;
  int saved = 0;
  for (const struct addrinfo *info = list; info && fd < 0; info = info->ai_next) {
    fd = listen_on(info);
    if (fd < 0) saved = errno;
  }
  freeaddrinfo(list);
  if (fd < 0) return error_set(error, STATUS_IO, "%s: %s", address, strerror(saved));
  *out_fd = fd;
  *out_port = port_of(fd);
  return STATUS_OK;
}
