// SPDX-License-Identifier: Apache-2.0
//
// The HTTP server behind TLS against a client that chooses its records, alerts and pauses itself.
#include <errno.h>
#include <gnutls/gnutls.h>

#include "tests/unit/net/certificates.h"
#include "tests/unit/net/http_server_fixture.h"
#include "tests/unit/net/raw_http.h"

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

struct client {
  int fd;
  gnutls_session_t session;
  gnutls_certificate_credentials_t credentials;
  bool holds; // what is to be sent is collected, and sent as one piece
  struct buffer held;
};

static ssize_t push(gnutls_transport_ptr_t context, const void *bytes, size_t len) {
  struct client *client = context;
  if (!client->holds) return send(client->fd, bytes, len, MSG_NOSIGNAL);
  buffer_append(&client->held, bytes, len);
  return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t context, void *bytes, size_t len) {
  const struct client *client = context;
  return recv(client->fd, bytes, len, 0);
}

static void client_open(struct client *client, uint16_t port, const char *priorities) {
  *client = (struct client){.fd = raw_http_connect(port)};
  assert_true(client->fd >= 0);
  buffer_init(&client->held, 1 << 20);
  assert_int_equal(gnutls_init(&client->session, GNUTLS_CLIENT), 0);
  assert_int_equal(gnutls_certificate_allocate_credentials(&client->credentials), 0);
  assert_int_equal(gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials), 0);
  assert_int_equal(gnutls_priority_set_direct(client->session, priorities, NULL), 0);
  gnutls_transport_set_ptr(client->session, client);
  gnutls_transport_set_push_function(client->session, push);
  gnutls_transport_set_pull_function(client->session, pull);
  int result;
  do {
    result = gnutls_handshake(client->session);
  } while (result < 0 && !gnutls_error_is_fatal(result));
  assert_int_equal(result, 0);
}

static void client_close(struct client *client) {
  gnutls_deinit(client->session);
  gnutls_certificate_free_credentials(client->credentials);
  buffer_finish(&client->held);
  close(client->fd);
}

static void send_record(struct client *client, const void *bytes, size_t len) {
  assert_int_equal(gnutls_record_send(client->session, bytes, len), (ssize_t)len);
}

static void send_held(struct client *client) {
  client->holds = false;
  assert_int_equal(send(client->fd, client->held.ptr, client->held.len, MSG_NOSIGNAL), (ssize_t)client->held.len);
  buffer_clear(&client->held);
}

// Reads on until the answers have been seen `count` times; returns how often they were before the stream ended.
static size_t read_answers(struct client *client, const char *text, size_t count) {
  struct buffer all;
  buffer_init(&all, 4 << 20);
  size_t seen = 0;
  char piece[4096];
  while (seen < count) {
    ssize_t len = gnutls_record_recv(client->session, piece, sizeof(piece));
    if (len == GNUTLS_E_INTERRUPTED) continue;
    if (len <= 0) break;
    buffer_append(&all, piece, (size_t)len);
    struct slice rest = buffer_slice(&all);
    for (seen = 0;; seen++) {
      size_t at = slice_find(rest, slice_from_cstr(text));
      if (at > rest.len) break;
      rest = slice_skip(rest, at + strlen(text));
    }
  }
  buffer_finish(&all);
  return seen;
}

static void open_tls(struct fixture *f, struct certificates *files) {
  certificates_create(files);
  const struct http_server_options options = {.tls = {.cert_file = files->cert, .key_file = files->key}};
  open_server(f, &options);
}

static void close_tls(struct fixture *f, struct certificates *files) {
  close_server(f);
  certificates_remove(files);
}

#define REQUEST "GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n"

// However the bytes are cut into records, and the records into segments. What GnuTLS has decrypted and not handed out
// yet is announced by no event.
static void test_records_of_any_size(void **state) {
  (void)state;
  enum { REQUESTS = 300 };
  struct certificates files;
  struct fixture f;
  open_tls(&f, &files);
  static const char *const versions[] = {TLS12, TLS13};
  for (size_t i = 0; i < 2; i++) {
    struct client client;
    client_open(&client, f.port, versions[i]);
    for (const char *at = REQUEST; *at; at++) send_record(&client, at, 1);
    assert_int_equal(read_answers(&client, "body {}", 1), 1);
    // As many as fit into a record, in one.
    struct buffer many;
    buffer_init(&many, 1 << 20);
    for (int n = 0; n < REQUESTS; n++) buffer_append_cstr(&many, REQUEST);
    send_record(&client, many.ptr, many.len);
    assert_int_equal(read_answers(&client, "body {}", REQUESTS), REQUESTS);
    buffer_finish(&many);
    // Two records in one segment: a body with its head, and the next request.
    client.holds = true;
    const char *post = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe";
    send_record(&client, post, strlen(post));
    send_record(&client, "llo" REQUEST, strlen("llo" REQUEST));
    send_held(&client);
    assert_int_equal(read_answers(&client, "body {}", 1), 1);
    client_close(&client);
  }
  close_tls(&f, &files);
}

// An answer that the socket does not take at once, with requests waiting behind it.
static void test_answers_that_wait_for_the_reader(void **state) {
  (void)state;
  enum { LEN = 8 << 20 };
  struct certificates files;
  struct fixture f;
  open_tls(&f, &files);
  struct client client;
  client_open(&client, f.port, TLS13);
  char *bytes = malloc(LEN);
  assert_non_null(bytes);
  memset(bytes, 'x', LEN);
  const char *requests = "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait" REQUEST;
  send_record(&client, requests, strlen(requests));
  http_request_reply(take_kept(&f), 200, NULL, slice_make(bytes, LEN));
  size_t count = 0;
  bool is_last = false;
  while (!is_last) {
    char piece[16384];
    ssize_t len = gnutls_record_recv(client.session, piece, sizeof(piece));
    if (len == GNUTLS_E_INTERRUPTED) continue;
    assert_true(len > 0);
    for (ssize_t i = 0; i < len; i++) count += piece[i] == 'x';
    is_last = slice_ends_with(slice_make(piece, (size_t)len), SLICE_LITERAL("body {}"));
  }
  assert_in_range(count, LEN, LEN + 8); // and the headers'
  free(bytes);
  client_close(&client);
  close_tls(&f, &files);
}

// A few alerts that end nothing are passed over; who sends one after the other would have the thread for himself.
static void test_warnings(void **state) {
  (void)state;
  struct certificates files;
  struct fixture f;
  open_tls(&f, &files);
  struct client client;
  client_open(&client, f.port, TLS12);
  client.holds = true;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(gnutls_alert_send(client.session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION), 0);
  }
  send_record(&client, REQUEST, strlen(REQUEST));
  send_held(&client);
  assert_int_equal(read_answers(&client, "body {}", 1), 1);
  client.holds = true;
  for (int i = 0; i < 200; i++) {
    assert_int_equal(gnutls_alert_send(client.session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION), 0);
  }
  send_held(&client);
  char byte;
  ssize_t len = recv(client.fd, &byte, 1, 0);
  assert_true(len >= 0 || errno == ECONNRESET); // not the end of patience
  client_close(&client);
  close_tls(&f, &files);
}

// Half of a handshake, of a record, and what wants to begin again.
static void test_what_ends_early(void **state) {
  (void)state;
  struct certificates files;
  struct fixture f;
  open_tls(&f, &files);
  struct client client;
  client_open(&client, f.port, TLS12);
  client.holds = true;
  send_record(&client, REQUEST, strlen(REQUEST));
  client.held.len -= 5;
  send_held(&client);
  shutdown(client.fd, SHUT_WR);
  assert_int_equal(read_answers(&client, "body {}", 1), 0);
  client_close(&client);
  client_open(&client, f.port, TLS12);
  int result = gnutls_handshake(client.session); // renegotiation
  assert_true(result < 0);
  client_close(&client);
  // It has said that it sends nothing more, and still reads.
  client_open(&client, f.port, TLS13);
  const char *keep = "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait";
  send_record(&client, keep, strlen(keep));
  struct http_request *request = take_kept(&f);
  assert_int_equal(gnutls_bye(client.session, GNUTLS_SHUT_WR), 0);
  http_request_reply(request, 200, NULL, SLICE_LITERAL("still here"));
  assert_int_equal(read_answers(&client, "still here", 1), 1);
  client_close(&client);
  close_tls(&f, &files);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_records_of_any_size),
      cmocka_unit_test(test_answers_that_wait_for_the_reader),
      cmocka_unit_test(test_warnings),
      cmocka_unit_test(test_what_ends_early),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
