// SPDX-License-Identifier: Apache-2.0
//
// TLS of a listener or a client connection, as files. Empty cert_file: plain text. For listeners client_ca_file turns
// on mTLS. For clients ca_file empty takes the system's roots.
#ifndef NET_TLS_SETTINGS_H
#define NET_TLS_SETTINGS_H

#include <stdbool.h>

#include "base/status.h"

struct tls_settings {
  const char *cert_file;      // PEM chain
  const char *key_file;       // PEM
  const char *client_ca_file; // listeners: PEM roots that client certificates must chain to
  const char *ca_file;        // clients: PEM roots
  bool insecure_skip_verify;  // clients, HTTP only
};

// True for a file name that is neither NULL nor empty.
bool tls_settings_given(const char *file);
// Reads a PEM file of at most 1 MiB into a NUL-terminated text; error names the file. tls_settings_forget wipes and
// frees it (NULL is fine).
enum status tls_settings_read(const char *file, char **out_pem, struct error *error);
void tls_settings_forget(char *pem);

#endif
