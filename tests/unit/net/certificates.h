// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests: a root and leaves for localhost and 127.0.0.1, made anew for each run, as PEM files in a
// directory.
#ifndef TESTS_UNIT_NET_CERTIFICATES_H
#define TESTS_UNIT_NET_CERTIFICATES_H

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct certificates {
  char directory[64];
  char root[96], cert[96], key[96], stranger_cert[96], stranger_key[96];
};

static void certificates_save_key(const char *file, EVP_PKEY *key) {
  FILE *stream = fopen(file, "w");
  assert(stream && PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL));
  fclose(stream);
}

static void certificates_save(const char *file, X509 *certificate) {
  FILE *stream = fopen(file, "w");
  assert(stream && PEM_write_X509(stream, certificate));
  fclose(stream);
}

static void certificates_extend(X509 *certificate, int kind, const char *value) {
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
  assert(extension && X509_add_ext(certificate, extension, -1));
  X509_EXTENSION_free(extension);
}

// Signed by `root` and its key, or by itself when root is NULL.
static X509 *certificates_make(EVP_PKEY *key, const char *name, X509 *root, EVP_PKEY *root_key) {
  X509 *certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), root ? 2 : 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                             -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(root ? root : certificate));
  certificates_extend(certificate, NID_basic_constraints, root ? "critical,CA:FALSE" : "critical,CA:TRUE");
  if (root) {
    certificates_extend(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  } else {
    certificates_extend(certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  assert(X509_sign(certificate, root ? root_key : key, EVP_sha256()));
  return certificate;
}

static inline void certificates_create(struct certificates *files) {
  snprintf(files->directory, sizeof(files->directory), "/tmp/culprit-tls-XXXXXX");
  assert(mkdtemp(files->directory));
  snprintf(files->root, sizeof(files->root), "%s/root.pem", files->directory);
  snprintf(files->cert, sizeof(files->cert), "%s/cert.pem", files->directory);
  snprintf(files->key, sizeof(files->key), "%s/key.pem", files->directory);
  snprintf(files->stranger_cert, sizeof(files->stranger_cert), "%s/stranger.pem", files->directory);
  snprintf(files->stranger_key, sizeof(files->stranger_key), "%s/stranger-key.pem", files->directory);
  EVP_PKEY *root_key = EVP_EC_gen("P-256");
  EVP_PKEY *leaf_key = EVP_EC_gen("P-256");
  EVP_PKEY *stranger_key = EVP_EC_gen("P-256");
  X509 *root = certificates_make(root_key, "culprit test root", NULL, NULL);
  X509 *leaf = certificates_make(leaf_key, "localhost", root, root_key);
  X509 *stranger = certificates_make(stranger_key, "stranger", NULL, NULL);
  certificates_save(files->root, root);
  certificates_save(files->cert, leaf);
  certificates_save_key(files->key, leaf_key);
  certificates_save(files->stranger_cert, stranger);
  certificates_save_key(files->stranger_key, stranger_key);
  X509_free(root);
  X509_free(leaf);
  X509_free(stranger);
  EVP_PKEY_free(root_key);
  EVP_PKEY_free(leaf_key);
  EVP_PKEY_free(stranger_key);
}

static inline void certificates_remove(struct certificates *files) {
  const char *all[] = {files->root, files->cert, files->key, files->stranger_cert, files->stranger_key};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) unlink(all[i]);
  rmdir(files->directory);
}

#endif
