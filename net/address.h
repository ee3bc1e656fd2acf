// SPDX-License-Identifier: Apache-2.0
//
// Listen addresses: "127.0.0.1:4317", "[::1]:0", "localhost:80". Any thread may call; nothing is kept.
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdint.h>

#include "base/status.h"

// Opens a non-blocking TCP socket that listens on `address`; port 0 takes a free one. A second listener on the same
// port is refused by the kernel (no SO_REUSEPORT). STATUS_INVALID for text that is no address, STATUS_IO when the
// system refuses; error names the address. The caller closes *out_fd.
enum status address_listen(const char *address, int *out_fd, uint16_t *out_port, struct error *error);

#endif
