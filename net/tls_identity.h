// SPDX-License-Identifier: Apache-2.0
//
// What a TLS listener shows and what it asks of clients: certificate, key and roots for client certificates, read from
// their files at one moment and known to fit together. Shared by its owners, the last of which frees it, so that
// connections go on with what they began with when the files are read again. Any thread.
#ifndef NET_TLS_IDENTITY_H
#define NET_TLS_IDENTITY_H

#include <gnutls/gnutls.h>

#include "base/status.h"
#include "net/tls_settings.h"

struct tls_identity;

// One share is the caller's. STATUS_INVALID when it is no certificate, or the key is another's; error names the file.
enum status tls_identity_read(const struct tls_settings *tls, struct tls_identity **out_identity, struct error *error);
struct tls_identity *tls_identity_share(struct tls_identity *identity);
void tls_identity_release(struct tls_identity *identity); // NULL is fine

// A server's session shows it from now on, and insists on a client certificate where roots were given: before the
// handshake. A share must be held until the session is gone.
void tls_identity_apply(const struct tls_identity *identity, gnutls_session_t session);

// The texts as they were read, as long as the identity; client_ca NULL: none is asked of clients.
struct tls_identity_pems {
  const char *cert, *key, *client_ca;
};
struct tls_identity_pems tls_identity_pems(const struct tls_identity *identity);

#endif
