// SPDX-License-Identifier: Apache-2.0
//
// The rules of scrubbing, a table for each: what must go and what must stay.
#include "processor/scrub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct scrub *with_defaults(void) {
  return scrub_create(&(struct scrub_options){.enabled = true, .defaults = true});
}

static void test_sensitive_keys(void **state) {
  (void)state;
  static const char *const sensitive[] = {"password",
                                          "PASSWORD",
                                          "user_password_hash",
                                          "passwd",
                                          "client_secret",
                                          "api_key",
                                          "api-key",
                                          "X-Api-Key",
                                          "apiKey",
                                          "credentials",
                                          "aws.credentials",
                                          "mysql_pwd",
                                          "privateKey",
                                          "private_key",
                                          "private-key",
                                          "authorization",
                                          "http.request.header.authorization",
                                          "http.request.header.proxy-authorization",
                                          "http.response.header.www-authenticate",
                                          "oauth",
                                          "auth",
                                          "reauthorise",
                                          "token",
                                          "access_token",
                                          "http.request.header.x-amz-security-token",
                                          "otp",
                                          "OTP",
                                          "two-factor",
                                          "two_factor",
                                          "cookie",
                                          "Set-Cookie",
                                          "http.request.header.cookie",
                                          "http.response.header.set-cookie",
                                          "http.request.header.set_cookie"};
  static const char *const plain[] = {"",
                                      "a",
                                      "http.request.method",
                                      "url.full",
                                      "user.id",
                                      "author",
                                      "commit.author.name",
                                      "coauthored_by",
                                      "http.request.header.:authority",
                                      "authority",
                                      "auth.type",
                                      "auth.method",
                                      "enduser.auth.scheme",
                                      "auth_type",
                                      "service.name",
                                      "service.secret.name",
                                      "telemetry.sdk.auth",
                                      "gen_ai.usage.input_tokens",
                                      "passwor",
                                      "http.request.header.x-request-id",
                                      "request_id",
                                      "otp_length",
                                      "adopt",
                                      "cookie.count",
                                      "keyboard",
                                      "api",
                                      "key",
                                      "exception.message",
                                      "db.statement",
                                      "monkey",
                                      "http.cookie_size"};
  struct scrub *scrub = with_defaults();
  for (size_t i = 0; i < sizeof(sensitive) / sizeof(sensitive[0]); i++) {
    if (!scrub_key_is_sensitive(scrub, slice_from_cstr(sensitive[i]))) fail_msg("%s is kept", sensitive[i]);
  }
  for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
    if (scrub_key_is_sensitive(scrub, slice_from_cstr(plain[i]))) fail_msg("%s goes", plain[i]);
  }
  scrub_destroy(scrub);
}

static void test_configured_keys(void **state) {
  (void)state;
  static const char *const extra[] = {"Tax_Number", "", "se"};
  static const char *const safe[] = {"Secret_Santa", "mytax_number"};
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true,
                                                             .defaults = true,
                                                             .extra_keys = extra,
                                                             .extra_key_count = 3,
                                                             .safe_keys = safe,
                                                             .safe_key_count = 2});
  assert_true(scrub_key_is_sensitive(scrub, SLICE_LITERAL("customer.TAX_number.eu")));
  assert_true(scrub_key_is_sensitive(scrub, SLICE_LITERAL("service.name")));
  assert_true(scrub_key_is_sensitive(scrub, SLICE_LITERAL("my_secret")));
  assert_false(scrub_key_is_sensitive(scrub, SLICE_LITERAL("secret_santa")));
  assert_true(scrub_key_is_sensitive(scrub, SLICE_LITERAL("secret_santas")));
  assert_false(scrub_key_is_sensitive(scrub, SLICE_LITERAL("MyTax_Number")));
  assert_false(scrub_key_is_sensitive(scrub, SLICE_LITERAL("name")));
  scrub_destroy(scrub);

  scrub = scrub_create(&(struct scrub_options){.enabled = true, .extra_keys = extra, .extra_key_count = 1});
  assert_true(scrub_key_is_sensitive(scrub, SLICE_LITERAL("tax_number")));
  assert_false(scrub_key_is_sensitive(scrub, SLICE_LITERAL("password")));
  assert_false(scrub_key_is_sensitive(scrub, SLICE_LITERAL("cookie")));
  assert_true(scrub_text_is_clean(scrub, SCRUB_TEXT_VALUE, SLICE_LITERAL("password=a 4111 1111 1111 1111")));
  scrub_destroy(scrub);

  scrub = scrub_create(&(struct scrub_options){.defaults = true, .extra_keys = extra, .extra_key_count = 1});
  assert_false(scrub_is_enabled(scrub));
  assert_false(scrub_key_is_sensitive(scrub, SLICE_LITERAL("tax_number")));
  scrub_destroy(scrub);
}

struct row {
  const char *text, *scrubbed; // NULL: stays
  const char *rule;
};

// Each row, and what it became once more: scrubbing twice changes nothing.
static void check_rows(const struct scrub *scrub, enum scrub_text_kind kind, const struct row *rows, size_t count) {
  struct buffer out;
  buffer_init(&out, 1 << 16);
  for (size_t i = 0; i < count; i++) {
    buffer_clear(&out);
    buffer_append_cstr(&out, "x");
    const char *rule = scrub_text(scrub, kind, slice_from_cstr(rows[i].text), &out);
    struct slice got = slice_skip(buffer_slice(&out), 1);
    if (!rows[i].scrubbed) {
      if (rule) fail_msg("%s: became %.*s", rows[i].text, SLICE_PRINTF(got));
      assert_int_equal(out.len, 1);
      continue;
    }
    if (!rule) fail_msg("%s: was left", rows[i].text);
    if (!slice_equal_cstr(got, rows[i].scrubbed)) fail_msg("%s: became %.*s", rows[i].text, SLICE_PRINTF(got));
    if (rows[i].rule) assert_string_equal(rule, rows[i].rule);
    struct buffer again;
    buffer_init(&again, 1 << 16);
    if (scrub_text(scrub, kind, got, &again)) {
      fail_msg("%s: then became %.*s", rows[i].text, SLICE_PRINTF(buffer_slice(&again)));
    }
    buffer_finish(&again);
  }
  buffer_finish(&out);
}
#define CHECK_ROWS(scrub, kind, rows) check_rows(scrub, kind, rows, sizeof(rows) / sizeof((rows)[0]))

static void test_messages(void **state) {
  (void)state;
  static const struct row rows[] = {
      // cards: the four kinds, three spellings, no check digit
      {"paid with 4111 1111 1111 1111 today", "paid with [creditcard] today", "@creditcard"},
      {"4111-1111-1111-1112", "[creditcard]", "@creditcard"},
      {"4111111111111111", "[creditcard]", "@creditcard"},
      {"amex 378282246310005.", "amex [creditcard].", "@creditcard"},
      {"5555555555554444,2221000000000009", "[creditcard],[creditcard]", "@creditcard"},
      {"6011111111111117 6441111111111111 6500000000000002", "[creditcard] [creditcard] [creditcard]", NULL},
      {"order 1234567890123456", NULL, NULL}, // no card begins with 1
      {"id 41111111111111111", NULL, NULL},   // 17 digits
      {"411111111111111", NULL, NULL},        // 15 of a kind that has 16
      {"x4111111111111111", NULL, NULL},      // in a word
      {"4111111111111111a", NULL, NULL},
      {"0.4111111111111111", NULL, NULL}, // a fraction
      {"4111111111111111.5", NULL, NULL},
      {"4111  1111 1111 1111", NULL, NULL}, // two spaces
      {"1732186737123456789", NULL, NULL},  // nanoseconds
      {"2720999999999996", "[creditcard]", NULL},
      {"2721000000000000", NULL, NULL},
      // SSN
      {"ssn 078-05-1120", "ssn [us-ssn]", "@usssn"},
      {"000-05-1120 666-05-1120 900-05-1120 078-00-1120 078-05-0000", NULL, NULL},
      {"1078-05-1120 078-05-11201 2-078-05-1120", NULL, NULL},
      // IBAN
      {"to DE89370400440532013000!", "to [iban]!", "@iban"},
      {"GB29 NWBK 6016 1331 9268 19", "[iban]", "@iban"},
      {"NO9386011117947", "[iban]", "@iban"},
      {"DE8937040044053201300", NULL, NULL},   // one short
      {"DE893704004405320130001", NULL, NULL}, // one long
      {"XX89370400440532013000 SDE89370400440532013000", NULL, NULL},
      // bearer
      {"Authorization: Bearer abc.def-1", "Authorization: Bearer [Filtered]", "@bearer"},
      {"bearer\tXYZ==,", "bearer\t[Filtered],", "@bearer"},
      {"forbearer abc, bearer: x", NULL, NULL},
      // e-mail
      {"mail to jane.doe+x@mail.example.org.", "mail to [email].", "@email"},
      {"<a@b.io>", "<[email]>", "@email"},
      {"a@b, @decorator.name, user@localhost, a@b.c1, x@.com, a@b..com", NULL, NULL},
      {"j\xc3\xbcrgen@example.de", "[email]", "@email"},
      // URL
      {"postgres://app:s3cret@db:5432/x", "postgres://[Filtered]@db:5432/x", "@urlauth"},
      {"https://u:p@ss@host/", "https://[Filtered]@host/", "@urlauth"},
      {"http://host:80/a@b http://key@host/", NULL, NULL},
      // PEM
      {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nAAAA\n-----END RSA PRIVATE KEY-----",
       "-----BEGIN RSA PRIVATE KEY-----\n[pemkey]\n-----END RSA PRIVATE KEY-----", "@pemkey"},
      {"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----",
       "-----BEGIN PRIVATE KEY-----\\n[pemkey]\\n-----END PRIVATE KEY-----", "@pemkey"},
      {"-----BEGIN EC PRIVATE KEY-----MIIE", "-----BEGIN EC PRIVATE KEY-----[pemkey]", "@pemkey"},
      {"-----BEGIN CERTIFICATE-----MIIE-----END CERTIFICATE-----", NULL, NULL},
      {"-----BEGIN KEYNOTE----- -------- --", NULL, NULL},
      // paths
      {"open /home/jane/app.py", "open /home/[user]/app.py", "@userpath"},
      {"file:///Users/jane/a", "file:///Users/[user]/a", "@userpath"},
      {"C:\\Users\\jane\\a", "C:\\Users\\[user]\\a", "@userpath"},
      {"/home/a/home/b/", "/home/[user]/home/b/", "@userpath"},
      {"/home/jane, /home//x, /var/home/x/, https://example.org/home/x/", NULL, NULL},
      // words alone are no reason in a message; addresses only when asked for
      {"wrong password for user 7, secret=hunter2, token: 4", NULL, NULL},
      {"from 10.1.2.3 and fe80::1, 4bf92f35-77b3-4da6-a3ce-929d0e0e4736", NULL, NULL},
      {"", NULL, NULL},
  };
  struct scrub *scrub = with_defaults();
  CHECK_ROWS(scrub, SCRUB_TEXT_MESSAGE, rows);
  scrub_destroy(scrub);
}

static void test_values(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"my password is hunter2", "[Filtered]", "@password"},
      {"{'api_key': 'x'}", "[Filtered]", "@password"},
      {"Token: abc", "[Filtered]", "@password"},
      {"auth_header=\"abc\"", "[Filtered]", "@password"},
      {"{:token=>\"abc\"}", "[Filtered]", "@password"},
      {"django.contrib.auth", NULL, NULL}, // names a module
      {"unexpected token in line", NULL, NULL},
      {"author: Jane", NULL, NULL},
      {"[Filtered]", NULL, NULL},
      {"Bearer abc", "Bearer [Filtered]", "@bearer"},
      {"https://example.org/reset-password", NULL, NULL}, // a URL is judged by its parts
      {"https://u:p@example.org/a?token=1&b=2#access_token=5",
       "https://[Filtered]@example.org/a?token=[Filtered]&b=2#access_token=[Filtered]", NULL},
      {"https://h/?a=x%40y&otp=4111 1111 1111 1111", "https://h/?a=x%40y&otp=[Filtered]", NULL},
  };
  static const struct row queries[] = {
      {"a=b&password=x&c", "a=b&password=[Filtered]&c", "@password"},
      {"pass%77ord=x&api%5Fkey=y", "pass%77ord=[Filtered]&api%5Fkey=[Filtered]", "@password"},
      {"password=&password", NULL, NULL},
      {"mail=a@b.org", "mail=[email]", "@email"},
      {"sessionid=5", NULL, NULL},
  };
  static const struct row cookies[] = {
      {"theme=dark; sessionid=abc; csrftoken=def", "theme=dark; sessionid=[Filtered]; csrftoken=[Filtered]",
       "@password"},
      {"PHPSESSID=1;__session=2; __Host-sid=3;XSRF-TOKEN=4",
       "PHPSESSID=[Filtered];__session=[Filtered]; __Host-sid=[Filtered];XSRF-TOKEN=[Filtered]", NULL},
      {"_vercel_jwt=1; connect.sid=2; sentrysid=3; symfony=4",
       "_vercel_jwt=[Filtered]; connect.sid=[Filtered]; sentrysid=[Filtered]; symfony=[Filtered]", NULL},
      {"theme=dark; lang=de", NULL, NULL},
  };
  struct scrub *scrub = with_defaults();
  CHECK_ROWS(scrub, SCRUB_TEXT_VALUE, rows);
  CHECK_ROWS(scrub, SCRUB_TEXT_QUERY, queries);
  CHECK_ROWS(scrub, SCRUB_TEXT_COOKIES, cookies);
  scrub_destroy(scrub);
}

static void test_ip_addresses(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"from 10.1.2.3:80", "from [ip]:80", "@ip"},
      {"10.1.2.3.", "[ip].", "@ip"},
      {"peer 2001:db8::8a2e:370:7334, ::1", "peer [ip], [ip]", "@ip"},
      {"[2001:0db8:0000:0000:0000:ff00:0042:8329]:443", "[[ip]]:443", "@ip"},
      {"::ffff:192.0.2.1", "[ip]", "@ip"},
      {"fe80::1%eth0", "[ip]%eth0", "@ip"},
      {"1.2.3 256.1.1.1 1.2.3.4.5 v1.2.3.4", NULL, NULL},
      {"12:30:45 std::a a::b::c abcd::ef::1 de:ad:be:ef:00:01", NULL, NULL},
  };
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true, .defaults = true, .ip_addresses = true});
  CHECK_ROWS(scrub, SCRUB_TEXT_MESSAGE, rows);
  assert_true(scrub_key_is_sensitive(scrub, SLICE_LITERAL("client.address")));
  assert_true(scrub_key_is_sensitive(scrub, SLICE_LITERAL("REMOTE_ADDR")));
  assert_true(scrub_reads_all(scrub));
  scrub_destroy(scrub);
  scrub = with_defaults();
  assert_false(scrub_key_is_sensitive(scrub, SLICE_LITERAL("client.address")));
  assert_false(scrub_reads_all(scrub));
  scrub_destroy(scrub);
}

// Any bytes: scrubbing ends, and what it made it leaves alone.
static void test_any_bytes(void **state) {
  (void)state;
  static const char *const pieces[] = {"4111 1111 1111 1111",
                                       "a@b.org",
                                       "://",
                                       "u:p@",
                                       "-----BEGIN A KEY-----",
                                       "-----END",
                                       "/home/",
                                       "x/",
                                       "Bearer ",
                                       "078-05-1120",
                                       "DE89370400440532013000",
                                       "10.1.2.3",
                                       "::1",
                                       "=",
                                       "&",
                                       "?",
                                       "#",
                                       "https://h",
                                       "token",
                                       "password",
                                       " ",
                                       ".",
                                       "\\",
                                       "[",
                                       "]",
                                       "otp=",
                                       "\xff",
                                       "secret",
                                       "1",
                                       "A",
                                       "\n"};
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true, .defaults = true, .ip_addresses = true});
  struct buffer text, once, twice;
  buffer_init(&text, 1 << 16);
  buffer_init(&once, 1 << 16);
  buffer_init(&twice, 1 << 16);
  uint64_t random = 1;
  for (uint32_t round = 0; round < 400000; round++) {
    buffer_clear(&text);
    for (uint32_t i = 0; i < 1 + round % 8; i++) {
      random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
      buffer_append_cstr(&text, pieces[(random >> 33) % (sizeof(pieces) / sizeof(pieces[0]))]);
    }
    for (int kind = SCRUB_TEXT_MESSAGE; kind <= SCRUB_TEXT_COOKIES; kind++) {
      buffer_clear(&once);
      buffer_clear(&twice);
      if (!scrub_text(scrub, (enum scrub_text_kind)kind, buffer_slice(&text), &once)) continue;
      if (!scrub_text(scrub, (enum scrub_text_kind)kind, buffer_slice(&once), &twice)) continue;
      fail_msg("kind %d: %.*s -> %.*s -> %.*s", kind, SLICE_PRINTF(buffer_slice(&text)),
               SLICE_PRINTF(buffer_slice(&once)), SLICE_PRINTF(buffer_slice(&twice)));
    }
  }
  buffer_finish(&text);
  buffer_finish(&once);
  buffer_finish(&twice);
  scrub_destroy(scrub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sensitive_keys), cmocka_unit_test(test_configured_keys), cmocka_unit_test(test_messages),
      cmocka_unit_test(test_values),         cmocka_unit_test(test_ip_addresses),    cmocka_unit_test(test_any_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
