// SPDX-License-Identifier: Apache-2.0
//
// How it works: one table of the listeners; each question goes over it.
#include "collector/config_check.h"

#include <stdio.h>
#include <string.h>

#include "net/tls_identity.h"

#define LISTENERS 3

struct listener {
  const char *listen_key, *cert_key, *key_key, *ca_key;
  const char *address;
  const struct options_tls *tls;
};

struct listeners {
  struct listener all[LISTENERS];
};

static struct listeners listeners_of(const struct options *options) {
  return (struct listeners){{
      {"listen.grpc", "tls.grpc.cert_file", "tls.grpc.key_file", "tls.grpc.client_ca_file", options->listen_grpc,
       &options->tls_grpc},
      {"listen.http", "tls.http.cert_file", "tls.http.key_file", "tls.http.client_ca_file", options->listen_http,
       &options->tls_http},
      {"listen.ui", "tls.ui.cert_file", "tls.ui.key_file", "tls.ui.client_ca_file", options->listen_ui,
       &options->tls_ui},
  }};
}

static bool takes_a_free_port(const char *address) {
  const char *colon = strrchr(address, ':');
  return colon && strspn(colon + 1, "0") == strlen(colon + 1);
}

static void check_addresses(const struct listeners *listeners, config_check_found *found, void *context) {
  for (size_t i = 1; i < LISTENERS; i++) {
    for (size_t j = 0; j < i; j++) {
      const struct listener *one = &listeners->all[j], *other = &listeners->all[i];
      if (takes_a_free_port(other->address) || strcmp(one->address, other->address) != 0) continue;
      char words[400];
      snprintf(words, sizeof(words), "is the address of %s too: each needs a port of its own", one->listen_key);
      found(context, other->listen_key, words);
    }
  }
}

static void check_headers(const struct options_list *headers, config_check_found *found, void *context) {
  for (uint32_t i = 0; i < headers->count; i++) {
    const char *colon = strchr(headers->items[i], ':');
    if (colon && colon != headers->items[i]) continue;
    char words[80]; // the header itself may be a secret
    snprintf(words, sizeof(words), "item %u must be like 'name: value'", (unsigned)i + 1);
    found(context, "exporters.otlp.headers", words);
  }
}

void config_check_whole(const struct options *options, config_check_found *found, void *context) {
  struct listeners listeners = listeners_of(options);
  for (size_t i = 0; i < LISTENERS; i++) {
    const struct listener *listener = &listeners.all[i];
    const struct options_tls *tls = listener->tls;
    if (!tls->cert_file[0] != !tls->key_file[0]) {
      found(context, tls->cert_file[0] ? listener->cert_key : listener->key_key,
            "cert_file and key_file belong together");
    } else if (tls->client_ca_file[0] && !tls->cert_file[0]) {
      found(context, listener->ca_key, "client_ca_file needs cert_file and key_file");
    }
  }
  check_addresses(&listeners, found, context);
  check_headers(&options->otlp_headers, found, context);
}

void config_check_files(const struct options *options, config_check_found *found, void *context) {
  struct listeners listeners = listeners_of(options);
  for (size_t i = 0; i < LISTENERS; i++) {
    const struct options_tls *tls = listeners.all[i].tls;
    if (!tls->cert_file[0]) continue;
    struct tls_identity *identity = NULL;
    struct error error;
    struct tls_settings settings = {
        .cert_file = tls->cert_file, .key_file = tls->key_file, .client_ca_file = tls->client_ca_file};
    if (tls_identity_read(&settings, &identity, &error)) found(context, listeners.all[i].cert_key, error.text);
    tls_identity_release(identity);
  }
}
