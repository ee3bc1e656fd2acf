// SPDX-License-Identifier: Apache-2.0
//
// Parameterisation: our own rows for every kind and its edges; the published rows are in test_grouping_tables.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "processor/grouping.h"
#include "processor/grouping_message.h"
#include "processor/grouping_text.h"

struct row {
  const char *input, *expected;
};

static void check_rows(const struct row *rows, size_t count) {
  struct arena arena;
  arena_init(&arena, 1 << 20);
  for (size_t i = 0; i < count; i++) {
    struct slice got = grouping_parameterize(slice_from_cstr(rows[i].input), &arena);
    if (!slice_equal_cstr(got, rows[i].expected)) {
      fail_msg("'%s' became '%.*s', expected '%s'", rows[i].input, SLICE_PRINTF(got), rows[i].expected);
    }
  }
  arena_finish(&arena);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void numbers(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"", ""},
      {"plain words", "plain words"},
      {"2 of 7 failed", "<int> of <int> failed"},
      {"7", "<int>"},
      {"x7 7x _7 7_", "x7 7x _7 7_"},
      {"é7 7é", "é7 7é"},
      {"at -5, utf-8", "at <int>, utf<int>"},
      {"1.5 -2.25 3.", "<float> <float> <int>."},
      {"1.2.3", "<float>.<int>"},
      {"4,150,908", "<int>,<int>,<int>"},
      {"0xdeadBEEF 0X1f 0x 0xg", "<hex> <hex> 0x 0xg"},
      {"took 12ms, 3s, 1.5s, 30s", "took <duration>, <duration>, <duration>, <duration>"},
      {"12m 3sec", "12m 3sec"},
      {"5msx x5ms x5s 5sx 5.5s.", "<duration>x x5ms x<duration> 5sx <duration>."}, // one side of each is looked at
      {"items[3]=[1,2]", "items[<int>]=[<int>,<int>]"},
  };
  CHECK_ROWS(rows);
}

static void identifiers(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"7C1811ED-e98f-4c9c-a9f9-58c757ff494f", "<uuid>"},
      {"x7c1811ed-e98f-4c9c-a9f9-58c757ff494f", "x7c1811ed-e98f-4c9c-a9f9-58c757ff494f"},
      {"[5fc35719b9cf96ec602dbc748ff31c587a46961d]", "[<sha1>]"},
      {"(0751007cd28df267e8e051b51f918c60)", "(<md5>)"},
      {"0751007cd28df267e8e051b51f918c6", "0751007cd28df267e8e051b51f918c6"}, // 31 digits
      {"0751007cd28df267e8e051b51f918c60a", "0751007cd28df267e8e051b51f918c60a"},
  };
  CHECK_ROWS(rows);
}

static void addresses(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"mail a.b+c@example.co.uk now", "mail <email> now"},
      {"a@b", "<email>"},
      {"@b a@ a@.b", "@b a@ a@.b"},
      {"user='x@y.org'", "<email>'"}, // the quote and the equals sign may be in a local part
      {"see https://a.example/b?c=1#d, and wss://x.y", "see <url> and <url>"},
      {"ftp://files.example", "<url>"},
      {"ahttp://a.com", "ahttp://<hostname>"}, // no word starts at http
      {"http:// nothing", "http:// nothing"},
      {"gopher://old", "gopher://old"},
      {"to db1.internal.example.com:5432", "to <hostname>:<int>"},
      {"EXAMPLE.COM Example.Com", "<hostname> Example.Com"},
      {"main.rs app.py", "<hostname> app.py"}, // .rs is Serbia
      {"10.0.0.1 255.255.255.255", "<ip> <ip>"},
      {"256.1.1.1", "<float>.<float>"},
      {"1.2.3.4:80", "<ip>:<int>"},
      {"2001:0db8:85a3:0000:0000:8a2e:0370:7334", "<ip>"},
      {"1:2:3:4:5:6:7:89abc", "<ip>c"},
      {"[::1] ::1:2:3:4:5:6:7:8", "[<ip>] <ip>:<int>"},
      {"12345:: x12345::", "<int><ip> x1<ip>"},
      {"fe80:%eth0 fe80:%", "<ip> fe80:%"},
      {"0:1:2 00:1a:2b:3c", "<int>:<int>:<int> <int>:1a:2b:3c"},
      // what stands before "::" is one address, what follows another kind
      {"2001:db8::8a2e:370:7334 fe80::1%eth0", "<ip>8a2e:<int>:<int> <ip><int>%eth0"},
      {"::ffff:192.0.2.1", "<ip>.<float>.<int>"},
      {"std::vector My::Type ::", "st<ip>vector My<ip>Type <ip>"},
  };
  CHECK_ROWS(rows);
}

static void dates(void **state) {
  (void)state;
  static const char *const whole[] = {
      "Mon, 02 Jan 06 15:04 MST",
      "Mon, 02 Jan 2006 15:04:05 GMT",
      "Mon, 02 Jan 2006 15:04:05 -0700",
      "Monday, 02-Jan-06 15:04:05 MST",
      "2006-01-02T15:04:05",
      "2006-01-02T15:04:05Z",
      "2006-01-02T15:04:05+07:00",
      "2006-01-02T15:04:05.999999999Z07:00",
      "2006-01-02 15:04:05",
      "2006-01-02\u00a015:04:05.123456",
      "2006-01-02",
      "20240220 11:55:33.546593",
      "15:04:05",
      "15:04",
      "3:04PM",
      "99:99",
      "Jan 02, 1999",
      "Mon Jan 02, 1999",
      "Mon Jan  2 15:04:05 2006",
      "Jan 2 15:04:05 2006",
      "31 Jan 2006 23:59:60 +0100",
      "Mon,  2 Jan 2006 15:04 GMT",
      "datetime.datetime(2023, 5, 2, 23, 46, tzinfo=datetime.timezone.utc)",
      "datetime_datetime(2023)",
  };
  struct arena arena;
  arena_init(&arena, 1 << 20);
  for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
    struct slice text = arena_printf(&arena, "on %s, yes", whole[i]);
    struct slice got = grouping_parameterize(text, &arena);
    if (!slice_equal_cstr(got, "on <date>, yes")) fail_msg("'%s' became '%.*s'", whole[i], SLICE_PRINTF(got));
  }
  arena_finish(&arena);
  static const struct row others[] = {
      {"2006-21-02", "<int><int><int>"},
      {"25:61:61 1:2", "<date> <int>:<int>"},
      {"3:04 am", "<date> am"},
      {"x12:30y", "x<date>y"}, // no word needs to begin or end
      {"2006-01-02T15:04Z", "<date>T<date>Z"},
      {"20240220T115533Z", "20240220T115533Z"},
      {"Mon, 02 Jan 2006 15:04 UTC, Mon, 02 Jan 2006 15:04 CET", "<date>C, <date>ET"},
      {"Monday, 02-Jan-06 15:04:05 -0700", "Monday, <int>-Jan<int> <date> <int>"},
      {"Mon Jan 02 2006 15:04:05 GMT+0100", "Mon Jan <int> <int> <date> GMT+<int>"},
      {"Mon Jan 2 15:04:05 MST 2006", "Mon Jan <int> <date> MST <int>"},
      {"32 Jan 2006 15:04 GMT", "<int> Jan <int> <date> GMT"},
      {"1 Jan 1806 15:04 GMT", "<int> Jan <int> <date> GMT"},
      {"x1 Jan 2006 15:04 GMT", "x1 Jan <int> <date> GMT"},
      {"March 5", "March <int>"},
      {"datetime.datetime(2023, 5", "datetime.datetime(<int>, <int>"},
      {"datetime.datetime(2023,\n5)", "datetime.datetime(<int>,\n<int>)"},
  };
  CHECK_ROWS(others);
}

static void values(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"a=\"b c\" d='e' f=\"\" g='", "a=<quoted_str> d=<quoted_str> f=\"\" g='"},
      {"say \"hello\"", "say \"hello\""},
      {"a=True b=false c true", "a=<bool> b=<bool> c true"},
      {"n=5 f=0.5", "n=<int> f=<float>"},
  };
  CHECK_ROWS(rows);
}

// The kinds are tried in an order, and what was replaced is not looked at again.
static void order(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"https://x.example/7c1811ed-e98f-4c9c-a9f9-58c757ff494f/5", "<url>"},
      {"id=7c1811ed-e98f-4c9c-a9f9-58c757ff494f", "id=<uuid>"},
      {"1.5s 0.0.0.0 2020-01-01", "<duration> <ip> <date>"},
      {"::1.example.com:8080", "<ip>.<hostname>:<int>"},
  };
  CHECK_ROWS(rows);
}

static void normalisation(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"", ""},
      {"one line", "one line"},
      {"one line\n", "one line..."},
      {"a\nb", "a\nb"},
      {"a\r\nb", "a\nb..."},
      {"\n\n a \n \n b \n c", " a \n b ..."},
      {"a 1\nb 2\nc 3", "a <int>\nb <int>..."},
      {"a\u2028b", "a\nb..."},
      {" \n ", "..."},
  };
  struct arena arena;
  arena_init(&arena, 1 << 20);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct slice got = grouping_message_normalise(slice_from_cstr(rows[i].input), false, &arena);
    if (!slice_equal_cstr(got, rows[i].expected)) fail_msg("'%s' became '%.*s'", rows[i].input, SLICE_PRINTF(got));
  }
  struct slice masked = grouping_message_normalise(SLICE_LITERAL("trace VdLchF7iDo8sVkg= of abc123"), true, &arena);
  assert_true(slice_equal_cstr(masked, "trace <uniq_id> of abc123"));
  arena_finish(&arena);
}

static void random_identifiers(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"nothing here", "nothing here"},
      {"savepoint \"s140177518376768_x2\"", "savepoint <uniq_id>"},
      {"python3 1password InternationalisationService", "python3 1password InternationalisationService"},
      {"key eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJzdWIiOiIxMjM0NTY3ODkwIn0", "key <uniq_id>"},
      {"/usr/lib/python3.11/site-packages", "/usr/lib/python3.11/site-packages"},
  };
  struct arena arena;
  arena_init(&arena, 1 << 20);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct slice got = grouping_mask_ids(slice_from_cstr(rows[i].input), &arena);
    if (!slice_equal_cstr(got, rows[i].expected)) fail_msg("'%s' became '%.*s'", rows[i].input, SLICE_PRINTF(got));
  }
  arena_finish(&arena);
}

static uint64_t processor_time_ns(void) {
  struct timespec now;
  assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

// Input made to send a backtracking or restarting scanner back to the start: a megabyte of each must be cheap. The work
// is seen in processor time; a quadratic scan of a megabyte takes minutes.
static void linear(void **state) {
  (void)state;
  static const char *const pieces[] = {"a",        "a.",  "1",  "1.",   "-",     "a-",
                                       "=\"",      "='a", ":",  "a:",   "$$a",   "\xff",
                                       "{lambda(", "//",  "<",  "0x",   "12-12", "datetime.datetime(",
                                       "a1",       "a1.", "1 ", "Jan ", "Mon ",  "Mon, 1 Jan "};
  size_t bytes = 1 << 20;
  char *text = malloc(bytes);
  struct arena arena;
  arena_init(&arena, 64u << 20);
  for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
    size_t len = strlen(pieces[i]);
    for (size_t at = 0; at < bytes; at++) text[at] = pieces[i][at % len];
    uint64_t before = processor_time_ns();
    struct slice got = grouping_parameterize(slice_make(text, bytes), &arena);
    uint64_t took_ms = (processor_time_ns() - before) / NS_PER_MS;
    assert_non_null(got.ptr);
    if (took_ms > 10000) fail_msg("a megabyte of '%s' took %llu ms", pieces[i], (unsigned long long)took_ms);
    arena_reset(&arena);
  }
  arena_finish(&arena);
  free(text);
}

static void exhausted(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 64);
  struct slice same = grouping_parameterize(SLICE_LITERAL("nothing to replace needs no memory"), &arena);
  assert_int_equal(same.len, 34);
  struct slice got = grouping_parameterize(SLICE_LITERAL("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"), &arena);
  assert_int_equal(got.len, 0);
  assert_true(arena_exhausted(&arena));
  arena_finish(&arena);
}

static void characters(void **state) {
  (void)state;
  struct slice text = SLICE_LITERAL("a\u00a0\u3000b");
  assert_int_equal(grouping_text_space(text, 1), 2);
  assert_int_equal(grouping_text_space(text, 3), 3);
  assert_int_equal(grouping_text_chars(text), 4);
  assert_true(grouping_text_word_at(SLICE_LITERAL("ß"), 0));
  assert_false(grouping_text_word_at(SLICE_LITERAL("→"), 0));
  assert_true(grouping_text_word_before(SLICE_LITERAL("日"), 3));
  assert_true(grouping_text_word_before(SLICE_LITERAL("\x80"), 1)); // ill-formed bytes count as words
  struct arena arena;
  arena_init(&arena, 4096);
  assert_true(slice_equal_cstr(grouping_text_collapse(SLICE_LITERAL("\t a  b\u00a0c \n"), &arena), "a b c"));
  assert_true(slice_equal_cstr(grouping_text_truncate(SLICE_LITERAL("äöüäöü"), 5, &arena), "äö..."));
  assert_true(slice_equal_cstr(grouping_text_lower(SLICE_LITERAL("C:\\Ä.DLL"), true, &arena), "c:/ä.dll"));
  assert_true(slice_equal_cstr(grouping_text_lower(SLICE_LITERAL("ÀÞ×ĀĶŹŸΆΣЀЯѠԱẞＡ\xc3"), false, &arena),
                               "àþ×āķźÿάσѐяѡաẞａ\xc3"));
  arena_finish(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers),       cmocka_unit_test(identifiers),
      cmocka_unit_test(addresses),     cmocka_unit_test(dates),
      cmocka_unit_test(values),        cmocka_unit_test(order),
      cmocka_unit_test(normalisation), cmocka_unit_test(random_identifiers),
      cmocka_unit_test(linear),        cmocka_unit_test(exhausted),
      cmocka_unit_test(characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
