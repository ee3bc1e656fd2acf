// SPDX-License-Identifier: Apache-2.0
//
// A glance may be wrong in one direction only: what it says is clean, the rules themselves find nothing in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processor/scrub_internal.h"

#define LEN_MAX 140
#define ROUNDS  3000

static const char *const extra_keys[] = {"Canary", "x9", "q", "\xC3\xA4rger"};
static const struct scrub_options configurations[] = {
    {.enabled = true, .defaults = true},
    {.enabled = true, .defaults = true, .ip_addresses = true},
    {.enabled = true, .defaults = true, .extra_keys = extra_keys, .extra_key_count = 2},
    {.enabled = true, .extra_keys = extra_keys, .extra_key_count = 4},
};

// What is sensitive as a key.
static const char *const keys[] = {
    "password",    "PassWord",   "secret",       "passwd",      "api-key",     "api_key", "apikey",
    "credentials", "mysql_pwd",  "privatekey",   "private-key", "private_key", "auth",    "token",
    "otp",         "two-factor", "two_factor",   "cookie",      "Set-Cookie",  "canary",  "CANARY",
    "X9",          "Q",          "\xC3\xA4rger", "db.password", "OAUTH"};
// What has to go from a text.
static const char *const findings[] = {"4111111111111111",
                                       "4111 1111 1111 1111",
                                       "3782-822463-10005",
                                       "4 1-1 1-1 1-1 1-1 1-1 1-1 1-1 1",
                                       "219-09-9999",
                                       "DE89370400440532013000",
                                       "DE89 3704 0044 0532 0130 00",
                                       "bearer abc",
                                       "BEARER abc",
                                       "a@b.com",
                                       "https://user:word@host/",
                                       "-----BEGIN RSA PRIVATE KEY-----\nabc\n",
                                       "-----begin rsa private key-----\nabc\n",
                                       "/home/max/",
                                       "/HOME/max/",
                                       "/Users/max/",
                                       "C:\\Users\\max\\",
                                       "C:\\\\users\\\\max\\\\",
                                       "10.0.0.1",
                                       "127.0.0.1",
                                       "::1",
                                       "fe80::1",
                                       "2001:db8:1:2:3:4:5:6",
                                       "::ffff:10.0.0.1",
                                       "password",
                                       "api_key",
                                       "mysql_pwd",
                                       "private-key",
                                       "auth: x",
                                       "TOKEN=x"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Is what the rules say within what the glance allows? The text lies before what may be read behind it.
static bool agrees(const struct scrub *scrub, struct slice text) {
  uint8_t padded[LEN_MAX + JSON_STRING_PADDING];
  struct buffer out;
  assert_true(text.len <= LEN_MAX);
  memset(padded, '4', sizeof padded);
  if (text.len > 0) memcpy(padded, text.ptr, text.len);
  text = slice_make(padded, text.len);
  const unsigned signs = scrub_glance_at_text(&scrub->glance, text);
  struct scrub_finding finding;
  bool good = (signs & SCRUB_SIGN_FORM) || !scrub_value_find(scrub, text, 0, &finding);
  if (!(signs & SCRUB_SIGN_WORD)) good = good && !scrub_key_in_text(scrub, text);
  if (!scrub_glance_at_key(&scrub->glance, text))
    good = good && (!scrub_key_is_sensitive(scrub, text) || (scrub->ip_addresses && scrub_key_is_ip_address(text)));
  buffer_init(&out, 1 << 16);
  for (int kind = SCRUB_TEXT_MESSAGE; kind <= SCRUB_TEXT_QUERY && !signs; kind++) {
    const bool named = kind != SCRUB_TEXT_MESSAGE && (scrub->ip_addresses || slice_find_byte(text, '%') < text.len);
    good = good && (named || !scrub_text(scrub, (enum scrub_text_kind)kind, text, &out));
  }
  buffer_finish(&out);
  return good;
}

// Each of them at each place of texts that are as long as several of the windows it looks through.
static void test_findings_wherever_they_stand(void **state) {
  (void)state;
  for (size_t c = 0; c < COUNT(configurations); c++) {
    struct scrub *scrub = scrub_create(&configurations[c]);
    for (size_t f = 0; f < COUNT(findings) + COUNT(keys); f++) {
      struct slice wanted = slice_from_cstr(f < COUNT(findings) ? findings[f] : keys[f - COUNT(findings)]);
      for (size_t at = 0; at <= 70; at++) {
        for (size_t behind = 0; behind <= 34; behind++) {
          uint8_t text[LEN_MAX];
          memset(text, behind % 2 ? ' ' : '.', sizeof text);
          memcpy(text + at, wanted.ptr, wanted.len);
          assert_true(agrees(scrub, slice_make(text, at + wanted.len + behind)));
        }
      }
    }
    scrub_destroy(scrub);
  }
}

static void test_random_texts(void **state) {
  static const char bytes[] = "0123456789-. :@/\\:%AZDEbearBEARhomeusersUSERS.-_passwordkeytokenauth=&?cvi";
  (void)state;
  uint64_t random = 7;
  for (size_t c = 0; c < COUNT(configurations); c++) {
    struct scrub *scrub = scrub_create(&configurations[c]);
    for (int round = 0; round < 100000; round++) {
      uint8_t text[LEN_MAX];
      size_t len = 0, want = (size_t)round % 100;
      while (len < want) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t draw = random >> 33;
        const char *piece = draw % 5   ? NULL
                            : draw % 2 ? findings[draw / 16 % COUNT(findings)]
                                       : keys[draw / 16 % COUNT(keys)];
        const size_t piece_len = piece ? strlen(piece) : 1;
        if (len + piece_len > LEN_MAX) break;
        memcpy(text + len, piece ? piece : &bytes[draw / 16 % (sizeof bytes - 1)], piece_len);
        len += piece_len;
      }
      assert_true(agrees(scrub, slice_make(text, len)));
    }
    scrub_destroy(scrub);
  }
}

struct draws {
  uint64_t seed;
};

static uint32_t draw(struct draws *draws, uint32_t below) {
  draws->seed = draws->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(draws->seed >> 33) % below;
}

// A name or a text: something harmless of any length, then perhaps what has to go, whole or a part of it.
static struct slice draw_text(struct draws *draws, uint8_t *to) {
  static const char *const names[] = {"url",
                                      "URL",
                                      "query_string",
                                      "http.query",
                                      "user_agent.original",
                                      "value",
                                      "key",
                                      "name",
                                      "Cookie",
                                      "X-Forwarded-For",
                                      "user-agent",
                                      "ssw",
                                      "i",
                                      "4",
                                      "A"};
  size_t len = 0;
  if (draw(draws, 3) == 0) {
    const char *name = names[draw(draws, COUNT(names))];
    memcpy(to, name, len = strlen(name));
    if (draw(draws, 2)) return slice_make(to, len);
  }
  for (uint32_t i = draw(draws, 4) ? draw(draws, 6) : draw(draws, 70); i > 0; i--)
    to[len++] = (uint8_t)("abAB 04-.=&h"[draw(draws, 12)]);
  const uint32_t which = draw(draws, 3);
  struct slice part = {NULL, 0};
  if (which == 0) part = slice_from_cstr(findings[draw(draws, COUNT(findings))]);
  if (which == 1) part = slice_from_cstr(keys[draw(draws, COUNT(keys))]);
  if (part.len > 0 && draw(draws, 4) == 0) part = slice_sub(part, draw(draws, (uint32_t)part.len), part.len);
  if (part.len > 0) memcpy(to + len, part.ptr, part.len);
  return slice_make(to, len + part.len);
}

static void put_value(struct json_writer *writer, struct draws *draws, uint32_t depth) {
  uint8_t text[256];
  const uint32_t kind = draw(draws, depth > 0 ? 12 : 9);
  const uint32_t count = draw(draws, 4);
  if (kind == 0) {
    json_write_u64(writer, draw(draws, 2) ? draw(draws, 1000) : UINT64_C(4111111111111111));
  } else if (kind < 9) {
    json_write_string(writer, draw_text(draws, text));
  } else if (kind == 9) {
    json_begin_array(writer);
    for (uint32_t i = 0; i < count; i++) put_value(writer, draws, depth - 1);
    json_end_array(writer);
  } else {
    json_begin_object(writer);
    for (uint32_t i = 0; i < 2 * count; i++) {
      json_key_slice(writer, draw_text(draws, text));
      put_value(writer, draws, depth - 1);
    }
    json_end_object(writer);
  }
}

static void put_document(struct buffer *out, struct draws *draws) {
  static const char *const places[] = {"extra", "contexts", "tags", "request", "user", "breadcrumbs", "unknown"};
  static const char *const of_request[] = {"headers", "cookies", "query_string", "data", "url", "env"};
  struct json_writer writer;
  buffer_clear(out);
  json_writer_init(&writer, out);
  json_begin_object(&writer);
  for (size_t i = 0; i < COUNT(places); i++) {
    json_key(&writer, places[i]);
    if (strcmp(places[i], "request") != 0) {
      put_value(&writer, draws, 3);
      continue;
    }
    json_begin_object(&writer);
    for (size_t k = 0; k < COUNT(of_request); k++) {
      json_key(&writer, of_request[k]);
      put_value(&writer, draws, 3);
    }
    json_end_object(&writer);
  }
  json_end_object(&writer);
}

static void scrub_document(const struct scrub *scrub, struct json_parser *parsers[2], struct slice text,
                           struct buffer *out) {
  struct json_value root;
  struct buffer meta;
  bool changed;
  buffer_init(&meta, 1 << 20);
  buffer_clear(out);
  assert_int_equal(json_parse(parsers[0], text, &root, NULL), STATUS_OK);
  assert_int_equal(scrub_event(scrub, root, parsers[1], &meta, &changed), STATUS_OK);
  json_write_value(out, root);
  buffer_append_byte(out, changed ? '+' : '-');
  buffer_append_slice(out, buffer_slice(&meta));
  assert_false(out->failed);
  buffer_finish(&meta);
}

// Documents are left by who glances as by who does not, also where a name and its text get one glance together.
static void test_random_documents(void **state) {
  (void)state;
  struct draws draws = {11};
  struct buffer text, expected, out;
  struct json_parser *parsers[2] = {json_parser_create(1 << 20), json_parser_create(1 << 20)};
  buffer_init(&text, 1 << 20);
  buffer_init(&expected, 1 << 20);
  buffer_init(&out, 1 << 20);
  for (size_t c = 0; c < COUNT(configurations); c++) {
    struct scrub *scrub = scrub_create(&configurations[c]), *careful = scrub_create(&configurations[c]);
    careful->glance.sees = false;
    for (int round = 0; round < ROUNDS; round++) {
      put_document(&text, &draws);
      scrub_document(careful, parsers, buffer_slice(&text), &expected);
      scrub_document(scrub, parsers, buffer_slice(&text), &out);
      if (!slice_equal(buffer_slice(&out), buffer_slice(&expected))) {
        fail_msg("%.*s\nbecame %.*s\nnot    %.*s", SLICE_PRINTF(buffer_slice(&text)), SLICE_PRINTF(buffer_slice(&out)),
                 SLICE_PRINTF(buffer_slice(&expected)));
      }
    }
    scrub_destroy(scrub);
    scrub_destroy(careful);
  }
  buffer_finish(&text);
  buffer_finish(&expected);
  buffer_finish(&out);
  json_parser_destroy(parsers[0]);
  json_parser_destroy(parsers[1]);
}

static unsigned signs_of(const struct scrub *scrub, const char *text) {
  uint8_t padded[LEN_MAX + JSON_STRING_PADDING] = {0};
  assert_true(strlen(text) <= LEN_MAX);
  memcpy(padded, text, strlen(text));
  return scrub_glance_at_text(&scrub->glance, slice_make(padded, strlen(text)));
}

// What a glance is for: nothing is seen in what applications send most.
static void test_everyday_texts_have_no_sign(void **state) {
  static const char *const texts[] = {"",
                                      "a",
                                      "None",
                                      "17",
                                      "order_customer",
                                      "'stock refund was not found for discount 4729 in locale'",
                                      "<views.OrderView object at 0x7f3e2c1b5d90>",
                                      "SELECT receipt.id, queue.tariff FROM receipt WHERE stock.retry = %s",
                                      "http://segment.internal/v1/receipt/9663",
                                      "2026-11-21 12:00:00.123456",
                                      "2026-11-21T12:00:00.000000Z",
                                      "datetime.datetime(2026, 11, 21, 12, 0, 5, tzinfo=datetime.timezone.utc)",
                                      "1732186737000",
                                      "Decimal('19.90')",
                                      "application/json, text/plain, */*",
                                      "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
                                      "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                                      "SHA256 checksum of IMG_0042"};
  (void)state;
  struct scrub *scrub = scrub_create(&configurations[0]);
  if (!scrub->glance.sees) {
    print_message("this machine has no instructions for it\n");
    scrub_destroy(scrub);
    skip();
  }
  for (size_t i = 0; i < COUNT(texts); i++) {
    if (signs_of(scrub, texts[i]) != 0) print_error("%s\n", texts[i]);
    assert_int_equal(signs_of(scrub, texts[i]), 0);
  }
  assert_int_equal(signs_of(scrub, "from 10.0.0.1"), 0);
  assert_int_equal(signs_of(scrub, "my password"), SCRUB_SIGN_WORD);
  assert_int_equal(signs_of(scrub, "max@example.com"), SCRUB_SIGN_FORM);
  assert_int_equal(signs_of(scrub, "secret of max@example.com"), SCRUB_SIGN_WORD | SCRUB_SIGN_FORM);
  scrub_destroy(scrub);
  scrub = scrub_create(&configurations[1]);
  assert_int_equal(signs_of(scrub, "from 10.0.0.1"), SCRUB_SIGN_FORM);
  assert_int_equal(signs_of(scrub, "from order 10, lines 3 and 4: none"), 0);
  scrub_destroy(scrub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_findings_wherever_they_stand),
      cmocka_unit_test(test_random_texts),
      cmocka_unit_test(test_random_documents),
      cmocka_unit_test(test_everyday_texts_have_no_sign),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
