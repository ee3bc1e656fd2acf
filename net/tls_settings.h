// SPDX-License-Identifier: Apache-2.0
//
// TLS of a listener or a client connection, as files. Empty cert_file: plain text. For listeners client_ca_file turns on
// mTLS. For clients ca_file empty takes the system's roots.
#ifndef NET_TLS_SETTINGS_H
#define NET_TLS_SETTINGS_H

#include <stdbool.h>

struct tls_settings {
  const char *cert_file;      // PEM chain
  const char *key_file;       // PEM
  const char *client_ca_file; // listeners: PEM roots that client certificates must chain to
  const char *ca_file;        // clients: PEM roots
  bool insecure_skip_verify;  // clients, HTTP only
};

#endif
