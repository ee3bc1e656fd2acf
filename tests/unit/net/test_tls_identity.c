// SPDX-License-Identifier: Apache-2.0
//
// Certificates that are read again, on both kinds of servers, which go on listening.
#include "net/tls_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/grpc_client.h"
#include "net/grpc_server.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "tests/unit/net/certificates.h"

#define DEADLINE (20 * NS_PER_S)

// `before` has the files that a server reads; what is in them changes to what `after` has.
struct fixture {
  struct certificates before, after;
  struct http_server *http;
  struct grpc_server_handle *grpc;
  struct http_route route;
  uint16_t port;
};

static void on_get(void *context, struct http_request *request) {
  (void)context;
  http_request_reply(request, 200, NULL, SLICE_LITERAL("here"));
}

static void open_server(struct fixture *f, bool is_grpc, struct tls_settings tls) {
  struct error error = {""};
  if (is_grpc) {
    const struct grpc_server_options options = {.address = "127.0.0.1:0", .tls = tls, .message_bytes_max = 1 << 20};
    grpc_server_open(&options, &f->grpc, &f->port, &error);
  } else {
    f->route = (struct http_route){HTTP_GET, "/", on_get, NULL};
    const struct http_server_options options = {
        .address = "127.0.0.1:0", .tls = tls, .routes = &f->route, .route_count = 1, .threads = 1};
    http_server_open(&options, &f->http, &f->port, &error);
  }
  assert_string_equal(error.text, "");
}

static void close_server(struct fixture *f) {
  http_server_close(f->http, DEADLINE);
  grpc_server_close(f->grpc, DEADLINE);
  f->http = NULL;
  f->grpc = NULL;
}

static enum status read_again(struct fixture *f, struct error *error) {
  return f->grpc ? grpc_server_read_tls(f->grpc, error) : http_server_read_tls(f->http, error);
}

static bool ask_http(struct http_client *client, uint16_t port, bool tls) {
  char url[64];
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", tls ? "https" : "http", port);
  struct buffer response;
  buffer_init(&response, 4096);
  struct http_reply reply;
  struct error error;
  enum status status =
      http_client_call(client, "GET", url, NULL, 0, slice_make(NULL, 0), DEADLINE, NULL, &response, &reply, &error);
  buffer_finish(&response);
  return status == STATUS_OK && reply.code == 200;
}

static bool ask_grpc(struct grpc_client *client) {
  struct buffer response;
  buffer_init(&response, 4096);
  struct grpc_reply reply;
  grpc_client_call(client, "/grpc.health.v1.Health/Check", slice_make(NULL, 0), DEADLINE, NULL, &response, &reply);
  buffer_finish(&response);
  return reply.code == GRPC_CODE_OK;
}

// Does a client with these roots, and this certificate to show, get an answer on a new connection?
static bool gets_answer(const struct fixture *f, const char *root, const char *cert, const char *key) {
  const struct tls_settings tls = {.ca_file = root, .cert_file = cert, .key_file = key};
  bool got;
  if (f->grpc) {
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%u", f->port);
    const struct grpc_client_options options = {.target = target, .use_tls = true, .tls = tls};
    struct grpc_client *client = NULL;
    assert_int_equal(grpc_client_create(&options, &client, NULL), STATUS_OK);
    got = ask_grpc(client);
    grpc_client_destroy(client);
  } else {
    const struct http_client_options options = {.tls = tls};
    struct http_client *client = NULL;
    assert_int_equal(http_client_create(&options, &client, NULL), STATUS_OK);
    got = ask_http(client, f->port, true);
    http_client_destroy(client);
  }
  return got;
}

static void put_in_place(const char *from, const char *to) {
  char *text = NULL;
  assert_int_equal(tls_settings_read(from, &text, NULL), STATUS_OK);
  FILE *file = fopen(to, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  fclose(file);
  tls_settings_forget(text);
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  certificates_create(&f->before);
  certificates_create(&f->after);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  certificates_remove(&f->before);
  certificates_remove(&f->after);
  free(f);
  return 0;
}

static void test_new_connections_see_the_new_certificate(void **state) {
  struct fixture *f = *state;
  struct certificates *files = &f->before;
  char old_root[96];
  snprintf(old_root, sizeof(old_root), "%s", files->root);
  for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
    open_server(f, is_grpc, (struct tls_settings){.cert_file = files->cert, .key_file = files->key});
    const struct http_client_options keep = {.tls = {.ca_file = old_root}};
    struct http_client *kept = NULL;
    assert_int_equal(http_client_create(&keep, &kept, NULL), STATUS_OK);
    if (!is_grpc) assert_true(ask_http(kept, f->port, true));
    assert_true(gets_answer(f, old_root, NULL, NULL));
    assert_false(gets_answer(f, f->after.root, NULL, NULL));
    char saved_cert[128], saved_key[128];
    snprintf(saved_cert, sizeof(saved_cert), "%s.saved", files->cert);
    snprintf(saved_key, sizeof(saved_key), "%s.saved", files->key);
    put_in_place(files->cert, saved_cert);
    put_in_place(files->key, saved_key);

    // Half of it is there: nothing is taken.
    put_in_place(f->after.cert, files->cert);
    struct error error = {""};
    assert_int_equal(read_again(f, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, files->cert));
    assert_true(gets_answer(f, old_root, NULL, NULL));

    put_in_place(f->after.key, files->key);
    assert_true(gets_answer(f, old_root, NULL, NULL)); // not read yet
    assert_int_equal(read_again(f, &error), STATUS_OK);
    assert_true(gets_answer(f, f->after.root, NULL, NULL));
    assert_false(gets_answer(f, old_root, NULL, NULL));
    if (!is_grpc) assert_true(ask_http(kept, f->port, true)); // a connection goes on as it began

    unlink(files->key);
    assert_int_equal(read_again(f, &error), STATUS_IO);
    assert_true(gets_answer(f, f->after.root, NULL, NULL));
    put_in_place(saved_cert, files->cert);
    put_in_place(saved_key, files->key);
    for (int i = 0; i < 3; i++) assert_int_equal(read_again(f, &error), STATUS_OK);
    assert_true(gets_answer(f, old_root, NULL, NULL));
    unlink(saved_cert);
    unlink(saved_key);
    http_client_destroy(kept);
    close_server(f);
  }
}

static void test_clients_must_show_what_the_new_roots_say(void **state) {
  struct fixture *f = *state;
  struct certificates *old = &f->before, *new = &f->after;
  char roots[128];
  snprintf(roots, sizeof(roots), "%s/clients.pem", old->directory);
  for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
    put_in_place(old->root, roots);
    open_server(f, is_grpc,
                (struct tls_settings){.cert_file = old->cert, .key_file = old->key, .client_ca_file = roots});
    assert_true(gets_answer(f, old->root, old->cert, old->key));
    assert_false(gets_answer(f, old->root, new->cert, new->key));
    assert_false(gets_answer(f, old->root, NULL, NULL));
    put_in_place(new->root, roots);
    assert_int_equal(read_again(f, NULL), STATUS_OK);
    assert_true(gets_answer(f, old->root, new->cert, new->key));
    assert_false(gets_answer(f, old->root, old->cert, old->key));
    assert_false(gets_answer(f, old->root, NULL, NULL));
    close_server(f);
  }
  unlink(roots);
}

static void test_plain_text_has_nothing_to_read(void **state) {
  struct fixture *f = *state;
  for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
    open_server(f, is_grpc, (struct tls_settings){0});
    assert_int_equal(read_again(f, NULL), STATUS_NOT_FOUND);
    close_server(f);
  }
}

static void test_what_is_wrong_is_said(void **state) {
  struct fixture *f = *state;
  const struct certificates *files = &f->before;
  const struct {
    struct tls_settings tls;
    enum status status;
    const char *words;
  } cases[] = {
      {{.cert_file = files->cert, .key_file = files->stranger_key}, STATUS_INVALID, files->stranger_key},
      {{.cert_file = files->key, .key_file = files->key}, STATUS_INVALID, files->key},
      {{.cert_file = files->cert, .key_file = files->cert}, STATUS_INVALID, files->cert},
      {{.cert_file = files->cert}, STATUS_INVALID, "without a key"},
      {{.cert_file = files->cert, .key_file = "/nonexistent.pem"}, STATUS_IO, "/nonexistent.pem"},
      {{.cert_file = files->cert, .key_file = files->key, .client_ca_file = files->key}, STATUS_INVALID, files->key},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct tls_identity *identity = NULL;
    struct error error = {""};
    assert_int_equal(tls_identity_read(&cases[i].tls, &identity, &error), cases[i].status);
    assert_null(identity);
    assert_non_null(strstr(error.text, cases[i].words));
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_new_connections_see_the_new_certificate),
      TEST(test_clients_must_show_what_the_new_roots_say),
      TEST(test_plain_text_has_nothing_to_read),
      TEST(test_what_is_wrong_is_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
