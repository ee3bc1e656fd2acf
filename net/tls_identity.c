// SPDX-License-Identifier: Apache-2.0
//
// How it works: GnuTLS takes the texts apart and compares key and certificate, for the listeners that use it and for
// the one that does not: gRPC core says nothing of what is wrong.
#include "net/tls_identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

struct tls_identity {
  struct atomic_u64 shares;
  char *cert, *key, *client_ca;
  gnutls_certificate_credentials_t credentials;
};

static enum status read_files(const struct tls_settings *tls, struct tls_identity *identity, struct error *error) {
  if (!tls_settings_given(tls->key_file)) return error_set(error, STATUS_INVALID, "a certificate without a key file");
  enum status status = tls_settings_read(tls->cert_file, &identity->cert, error);
  if (status == STATUS_OK) status = tls_settings_read(tls->key_file, &identity->key, error);
  if (status == STATUS_OK && tls_settings_given(tls->client_ca_file)) {
    status = tls_settings_read(tls->client_ca_file, &identity->client_ca, error);
  }
  return status;
}

static gnutls_datum_t datum(const char *text) {
  return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text, .size = (unsigned)strlen(text)};
}

static enum status take_apart(const struct tls_settings *tls, struct tls_identity *identity, struct error *error) {
  if (gnutls_certificate_allocate_credentials(&identity->credentials) != GNUTLS_E_SUCCESS) {
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
  }
  const gnutls_datum_t cert = datum(identity->cert), key = datum(identity->key);
  int result = gnutls_certificate_set_x509_key_mem2(identity->credentials, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (result < 0) {
    return error_set(error, STATUS_INVALID, "%s, %s: %s", tls->cert_file, tls->key_file, gnutls_strerror(result));
  }
  if (!identity->client_ca) return STATUS_OK;
  const gnutls_datum_t roots = datum(identity->client_ca);
  result = gnutls_certificate_set_x509_trust_mem(identity->credentials, &roots, GNUTLS_X509_FMT_PEM);
  if (result > 0) return STATUS_OK;
  return error_set(error, STATUS_INVALID, "%s: %s", tls->client_ca_file,
                   result < 0 ? gnutls_strerror(result) : "no certificate in it");
}

enum status tls_identity_read(const struct tls_settings *tls, struct tls_identity **out_identity, struct error *error) {
  struct tls_identity *identity = calloc(1, sizeof(*identity));
  if (!identity) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  atomic_u64_set(&identity->shares, 1);
  enum status status = read_files(tls, identity, error);
  if (status == STATUS_OK) status = take_apart(tls, identity, error);
  if (status != STATUS_OK) {
    tls_identity_release(identity);
    return status;
  }
  *out_identity = identity;
  return STATUS_OK;
}

struct tls_identity *tls_identity_share(struct tls_identity *identity) {
  atomic_u64_add(&identity->shares, 1);
  return identity;
}

void tls_identity_release(struct tls_identity *identity) {
  if (!identity || atomic_u64_sub(&identity->shares, 1) > 1) return;
  if (identity->credentials) gnutls_certificate_free_credentials(identity->credentials);
  tls_settings_forget(identity->cert);
  tls_settings_forget(identity->key);
  tls_settings_forget(identity->client_ca);
  free(identity);
}

void tls_identity_apply(const struct tls_identity *identity, gnutls_session_t session) {
  int result = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, identity->credentials);
  ASSERT(result == GNUTLS_E_SUCCESS);
  if (!identity->client_ca) return;
  gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
  gnutls_session_set_verify_cert(session, NULL, 0);
}

struct tls_identity_pems tls_identity_pems(const struct tls_identity *identity) {
  return (struct tls_identity_pems){.cert = identity->cert, .key = identity->key, .client_ca = identity->client_ca};
}
