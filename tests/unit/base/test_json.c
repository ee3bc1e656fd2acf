// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define BYTES_MAX ((size_t)8 << 20)

static int setup(void **state) {
  *state = json_parser_create(BYTES_MAX);
  return 0;
}

static int teardown(void **state) {
  json_parser_destroy(*state);
  return 0;
}

static struct json_value parse(void **state, const char *text) {
  struct json_value root;
  struct error error;
  enum status status = json_parse(*state, slice_from_cstr(text), &root, &error);
  if (status != STATUS_OK) print_error("%s: %s\n", text, error.text);
  assert_int_equal(status, STATUS_OK);
  return root;
}

static void assert_slice(struct slice actual, const char *expected) {
  assert_int_equal(actual.len, strlen(expected));
  assert_memory_equal(actual.ptr, expected, actual.len);
}

// What json_write_value makes of `text`.
static void assert_rewritten(void **state, const char *text, const char *expected) {
  struct buffer out;
  buffer_init(&out, 1 << 20);
  json_write_value(&out, parse(state, text));
  assert_false(out.failed);
  assert_slice(buffer_slice(&out), expected);
  buffer_finish(&out);
}

static void test_scalars(void **state) {
  struct json_value root =
      parse(state, "{\"null\":null,\"yes\":true,\"no\":false,\"minus\":-7,\"plus\":9223372036854775807,"
                   "\"big\":18446744073709551615,\"real\":-2.5e3,\"text\":\"a\\u00e9\\n\\u0000z\"}");
  assert_int_equal(json_type_of(root), JSON_OBJECT);
  assert_int_equal(json_type_of(json_get(root, "null")), JSON_NULL);
  assert_true(json_is_present(json_get(root, "null")));
  assert_false(json_is_present(json_get(root, "absent")));
  assert_int_equal(json_type_of(json_get(root, "absent")), JSON_NULL);
  assert_true(json_bool(json_get(root, "yes")));
  assert_false(json_bool(json_get(root, "no")));
  assert_int_equal(json_type_of(json_get(root, "no")), JSON_BOOL);
  assert_int_equal(json_type_of(json_get(root, "minus")), JSON_I64);
  assert_true(json_i64(json_get(root, "minus")) == -7);
  assert_true(json_u64(json_get(root, "minus")) == 0);
  assert_true(json_double(json_get(root, "minus")) == -7.0);
  assert_true(json_i64(json_get(root, "plus")) == INT64_MAX);
  assert_true(json_u64(json_get(root, "plus")) == (uint64_t)INT64_MAX);
  assert_int_equal(json_type_of(json_get(root, "big")), JSON_U64);
  assert_true(json_u64(json_get(root, "big")) == UINT64_MAX);
  assert_true(json_i64(json_get(root, "big")) == 0);
  assert_true(json_double(json_get(root, "real")) == -2500.0);
  struct slice text = json_string(json_get(root, "text"));
  assert_int_equal(text.len, 6);
  assert_memory_equal(text.ptr, "a\xC3\xA9\n\0z", 6);
  assert_int_equal(json_string(json_get(root, "yes")).len, 0);
}

static void test_iteration(void **state) {
  struct json_value root = parse(state, "[1,[2,[3]],{\"a\":{\"b\":[]},\"c\":1.5,\"a\":2},\"x\",[]]");
  struct json_iter iter = json_iterate(root);
  struct json_value value, items[5];
  size_t count = 0;
  while (json_array_next(&iter, &value)) items[count++] = value;
  assert_int_equal(count, 5);
  assert_false(json_array_next(&iter, &value));
  assert_true(json_i64(items[0]) == 1);
  assert_int_equal(json_type_of(items[3]), JSON_STRING);
  assert_int_equal(json_count(root), 5);
  assert_int_equal(json_count(items[2]), 3);
  assert_int_equal(json_count(items[4]), 0);
  assert_int_equal(json_count(items[0]), 0);

  const char *keys[] = {"a", "c", "a"};
  iter = json_iterate(items[2]);
  struct slice key;
  for (count = 0; json_object_next(&iter, &key, &value); count++) assert_slice(key, keys[count]);
  assert_int_equal(count, 3);
  assert_int_equal(json_type_of(json_get(items[2], "a")), JSON_OBJECT); // the first of two
}

// Input decides what a value is; asking for the other kind of iteration finds nothing.
static void test_iteration_of_another_type(void **state) {
  struct json_value root = parse(state, "{\"array\":[\"k\",1],\"object\":{\"k\":1},\"text\":\"t\"}");
  struct slice key;
  struct json_value value;
  struct json_iter iter = json_iterate(json_get(root, "array"));
  assert_false(json_object_next(&iter, &key, &value));
  iter = json_iterate(json_get(root, "object"));
  assert_false(json_array_next(&iter, &value));
  iter = json_iterate(json_get(root, "text"));
  assert_false(json_array_next(&iter, &value));
  iter = json_iterate(json_get(root, "absent"));
  assert_false(json_array_next(&iter, &value));
  assert_false(json_is_present(json_get(json_get(root, "array"), "k")));
  assert_false(json_is_present(json_get(json_get(root, "text"), "k")));
}

static void test_scalar_roots(void **state) {
  assert_true(json_i64(parse(state, " 42 ")) == 42);
  assert_slice(json_string(parse(state, "\"\"")), "");
  assert_int_equal(json_type_of(parse(state, "null")), JSON_NULL);
  assert_int_equal(json_count(parse(state, "{}")), 0);
}

static void test_malformed(void **state) {
  static const char *const texts[] = {
      "",   " ",   "{",     "[1,]",    "{\"a\"}",  "{\"a\":1,}",  "nul",      "tru",
      "01", "1 2", "\"",    "\"\\x\"", "\"\x01\"", "[1}",         "\"\xC3\"", "\"\xED\xA0\x80\"",
      "+1", ".5",  "1e400", "NaN",     "{1:2}",    "\xEF\xBB\xBF"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct json_value root = {NULL, 77};
    struct error error = {""};
    enum status status = json_parse(*state, slice_from_cstr(texts[i]), &root, &error);
    if (status != STATUS_INVALID) print_error("accepted: %s\n", texts[i]);
    assert_int_equal(status, STATUS_INVALID);
    assert_true(strlen(error.text) > 0);
    assert_true(root.document == NULL && root.index == 77); // untouched
  }
  assert_int_equal(json_parse(*state, SLICE_LITERAL("{"), &(struct json_value){0}, NULL), STATUS_INVALID);
  parse(state, "[1]"); // and the parser is usable again
}

static void test_integers_beyond_64_bits(void **state) {
  struct json_value root =
      parse(state, "[123456789012345678901,-9223372036854775809,18446744073709551616,-9223372036854775808,"
                   "\"123456789012345678901\",0.1234567890123456789012,1e5]");
  struct json_iter iter = json_iterate(root);
  struct json_value value;
  assert_true(json_array_next(&iter, &value));
  assert_int_equal(json_type_of(value), JSON_DOUBLE);
  assert_true(fabs(json_double(value) - 123456789012345678901.0) < 1e6);
  assert_true(json_array_next(&iter, &value));
  assert_true(fabs(json_double(value) + 9223372036854775809.0) < 1e4);
  assert_true(json_array_next(&iter, &value));
  assert_true(fabs(json_double(value) - 18446744073709551616.0) < 1e4);
  assert_true(json_array_next(&iter, &value));
  assert_int_equal(json_type_of(value), JSON_I64);
  assert_true(json_i64(value) == INT64_MIN);
  assert_true(json_array_next(&iter, &value));
  assert_slice(json_string(value), "123456789012345678901");
  assert_true(json_array_next(&iter, &value));
  assert_true(json_double(value) == 0.1234567890123456789012);
  assert_true(json_array_next(&iter, &value));
  assert_true(json_double(value) == 1e5);
}

static void assert_string(void **state, const char *text, const char *expected) {
  assert_slice(json_string(parse(state, text)), expected);
}

// JavaScript and Python write "\\ud83d" for a string that was cut inside of a pair.
static void test_lone_surrogates(void **state) {
  assert_string(state, "\"a\\ud83d\"", "a\xEF\xBF\xBD");
  assert_string(state, "\"\\ude00b\"",
                "\xEF\xBF\xBD"
                "b");
  assert_string(state, "\"\\uD83D\\u0041\"",
                "\xEF\xBF\xBD"
                "A");
  assert_string(state, "\"\\ud83d\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80");
  assert_string(state, "\"\\\\ud83d \\ud83d\"", "\\ud83d \xEF\xBF\xBD"); // an escaped backslash and five letters
  struct json_value root = parse(state, "[\"\\ud83d\",123456789012345678901,\"\\udc00\"]"); // both kinds of repair
  assert_int_equal(json_count(root), 3);
}

static void test_error_names_the_place(void **state) {
  static const struct {
    const char *text;
    const char *words;
  } cases[] = {
      {"", "byte 0: it ends early"},
      {"{\"a\":1,}", "byte 7: a key in quotes is expected"},
      {"{\"a\":1 \"b\":2}", "byte 7: a comma or } is expected"},
      {"[1 2]", "byte 3: a comma or ] is expected"},
      {"[1,]", "byte 3: a value is expected"},
      {"[1,[2,", "byte 6: it ends early"},
      {"{\"a\" 1}", "byte 5: a colon is expected"},
      {"{\"a", "byte 3: it ends early"},
      {"[tru]", "byte 4: a value is expected"},
      {"[NaN]", "byte 1: a value is expected"},
      {"[-]", "byte 2: bad number"},
      {"[1.]", "byte 3: bad number"},
      {"[1e+]", "byte 4: bad number"},
      {"[012]", "byte 2: number with a leading zero"},
      {"[\"\\x\"]", "byte 3: bad escape in a string"},
      {"[\"\\u12g4\"]", "byte 3: bad escape in a string"},
      {"[\"\n\"]", "byte 2: control character in a string"},
      {"[\"a\xFF\"]", "byte 3: not UTF-8"},
      {"{} x", "byte 3: something follows the document"},
      {"[1e999]", "invalid JSON: "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct error error;
    struct json_value root;
    assert_int_equal(json_parse(*state, slice_from_cstr(cases[i].text), &root, &error), STATUS_INVALID);
    if (!strstr(error.text, cases[i].words)) print_error("%s: %s\n", cases[i].text, error.text);
    assert_non_null(strstr(error.text, cases[i].words));
  }
}

static void nest(char *text, size_t depth) {
  memset(text, '[', depth);
  text[depth] = '1';
  memset(text + depth + 1, ']', depth);
  text[2 * depth + 1] = '\0';
}

static void test_depth(void **state) {
  char text[4096];
  nest(text, JSON_DEPTH_MAX);
  assert_rewritten(state, text, text);
  nest(text, JSON_DEPTH_MAX + 1);
  struct error error;
  assert_int_equal(json_parse(*state, slice_from_cstr(text), &(struct json_value){0}, &error), STATUS_INVALID);
  assert_string_equal(error.text, "invalid JSON at byte 140: nested too deeply");
}

static void test_size_limit_and_shrinking(void **state) {
  char *text = malloc(BYTES_MAX + 1);
  assert_non_null(text);
  memset(text, ' ', BYTES_MAX + 1);
  text[0] = '7';
  struct json_value root;
  assert_int_equal(json_parse(*state, slice_make(text, BYTES_MAX), &root, NULL), STATUS_OK);
  assert_true(json_i64(root) == 7);
  assert_int_equal(json_parse(*state, slice_make(text, BYTES_MAX + 1), &root, NULL), STATUS_TOO_LARGE);
  assert_true(json_i64(parse(state, "8")) == 8);
  nest(text, JSON_DEPTH_MAX + 1); // the depth limit survives the change of capacity
  assert_int_equal(json_parse(*state, slice_from_cstr(text), &root, NULL), STATUS_INVALID);
  free(text);
}

static void test_write_value(void **state) {
  assert_rewritten(state,
                   " { \"a\" : [ 1 , -2 , 18446744073709551615 , { } , [ ] , null , true , false ] , \"b\" : 1.0 } ",
                   "{\"a\":[1,-2,18446744073709551615,{},[],null,true,false],\"b\":1.0}");
  assert_rewritten(state, "\"q\\\" b\\\\ n\\n t\\t r\\r u\\u0001 \\u007f \\u20ac\"",
                   "\"q\\\" b\\\\ n\\n t\\t r\\r u\\u0001 \\u007f \xE2\x82\xAC\"");
  assert_rewritten(state, "[-0.0,1e300,0.1,1e-7,5e-324]", "[-0.0,1e+300,0.1,1e-07,4.94065645841247e-324]");
}

static void test_write_double_reads_back(void **state) {
  static const double numbers[] = {0,
                                   0.1,
                                   1.0 / 3,
                                   1e21,
                                   1e22,
                                   123456789.123,
                                   5e-324,
                                   1.7976931348623157e308,
                                   -0.3,
                                   4503599627370497.5,
                                   9007199254740993.0,
                                   100,
                                   2.2250738585072014e-308};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 64);
    json_writer_init(&writer, &out);
    json_write_double(&writer, numbers[i]);
    buffer_append_byte(&out, 0);
    assert_true(json_double(parse(state, (const char *)out.ptr)) == numbers[i]);
    buffer_finish(&out);
  }
}

// Every length up to a few blocks, plain and with one byte that is not, wherever it stands.
static void test_write_string_of_each_length(void **state) {
  static const struct {
    uint8_t byte;
    const char *written;
  } others[] = {{'"', "\\\""},     {'\\', "\\\\"},         {0x1F, "\\u001f"},      {0, "\\u0000"}, {'\n', "\\n"},
                {0x7F, "\\u007f"}, {0x80, "\xEF\xBF\xBD"}, {0xFF, "\xEF\xBF\xBD"}, {' ', " "},     {'~', "~"}};
  (void)state;
  struct buffer out, expected;
  buffer_init(&out, 1024);
  buffer_init(&expected, 1024);
  for (size_t len = 0; len <= 50; len++) {
    for (size_t at = 0; at < (len ? len : 1); at++) {
      for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        uint8_t text[64];
        struct json_writer writer;
        for (size_t b = 0; b < len; b++) text[b] = (uint8_t)('a' + b % 26);
        if (len > 0) text[at] = others[i].byte;
        buffer_clear(&out);
        buffer_clear(&expected);
        json_writer_init(&writer, &out);
        json_write_string(&writer, slice_make(text, len));
        buffer_append_byte(&expected, '"');
        buffer_append(&expected, text, len ? at : 0);
        buffer_append_cstr(&expected, len ? others[i].written : "");
        buffer_append_slice(&expected, slice_skip(slice_make(text, len), at + 1));
        buffer_append_byte(&expected, '"');
        assert_true(slice_equal(buffer_slice(&out), buffer_slice(&expected)));
      }
    }
  }
  buffer_finish(&out);
  buffer_finish(&expected);
}

// A key of our own is written as any other one, and fits where that fits to the byte.
static void test_plain_keys(void **state) {
  static const char name[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
  (void)state;
  for (size_t len = 0; len < sizeof name; len++) {
    for (size_t room = 2 * len; room <= 2 * len + 12; room++) {
      struct buffer outs[2];
      for (int plain = 0; plain < 2; plain++) {
        struct json_writer writer;
        buffer_init(&outs[plain], room + 1);
        json_writer_init(&writer, &outs[plain]);
        json_begin_object(&writer);
        for (int i = 0; i < 2; i++) { // the second one behind a comma
          if (plain)
            json_key_plain(&writer, slice_make(name, len));
          else
            json_key_slice(&writer, slice_make(name, len));
          json_write_u64(&writer, 1);
        }
      }
      assert_int_equal(outs[1].failed, outs[0].failed);
      assert_true(outs[0].failed || slice_equal(buffer_slice(&outs[1]), buffer_slice(&outs[0])));
      assert_int_equal(outs[0].failed, room + 1 < 2 * len + 10);
      for (int plain = 0; plain < 2; plain++) buffer_finish(&outs[plain]);
    }
  }
}

// A parsed value is written where there is room for it to the byte, and nowhere else, whatever the buffer held.
static void test_write_value_up_to_the_ceiling(void **state) {
  static const char text[] = "{\"key\":[\"a string of more than a block\",{},[],\"\\n\",1.5,null,\"\"],\"\":true}";
  struct json_value root = parse(state, text);
  for (size_t room = 1; room < 2 * sizeof text; room++) {
    for (size_t reserved = 0; reserved <= room; reserved += 7) {
      struct buffer out;
      buffer_init(&out, room);
      if (reserved > 0) buffer_reserve(&out, reserved);
      json_write_value(&out, root);
      assert_int_equal(out.failed, room < sizeof text - 1);
      if (!out.failed) assert_slice(buffer_slice(&out), text);
      buffer_finish(&out);
    }
  }
}

// What fits into what is left of the buffer to the byte is written.
static void test_write_string_up_to_the_ceiling(void **state) {
  (void)state;
  struct buffer out;
  struct json_writer writer;
  buffer_init(&out, 16);
  json_writer_init(&writer, &out);
  json_begin_object(&writer);
  json_key(&writer, "abc");
  json_write_string(&writer, SLICE_LITERAL("123456"));
  json_end_object(&writer);
  assert_false(out.failed);
  assert_slice(buffer_slice(&out), "{\"abc\":\"123456\"}");
  buffer_finish(&out);
}

// Numbers as printf writes them, the shortest that reads back the same.
static void test_write_numbers_as_printf(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 4096);
  uint64_t random = 1;
  for (int i = 0; i < 20000; i++) {
    static const double scales[] = {1, 1, 10, 100, 1000, 1e6, 1e7, 1e9};
    random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const uint64_t wide = random >> (random >> 58);
    const double number = (double)(int64_t)(random >> (i % 50)) / scales[i % 8] * (i % 3 ? 1 : -1);
    char expected[80];
    for (int digits = 15; digits <= 17; digits++) {
      snprintf(expected, sizeof expected, "%.*g", digits, number);
      if (strtod(expected, NULL) == number) break;
    }
    const size_t len = strlen(expected);
    snprintf(expected + len, sizeof expected - len, ",%jd,%ju]", (intmax_t)(int64_t)wide, (uintmax_t)wide);
    struct json_writer writer;
    buffer_clear(&out);
    json_writer_init(&writer, &out);
    json_begin_array(&writer);
    json_write_double(&writer, number);
    json_write_i64(&writer, (int64_t)wide);
    json_write_u64(&writer, wide);
    json_end_array(&writer);
    assert_slice(slice_skip(buffer_slice(&out), 1), expected);
  }
  buffer_finish(&out);
}

// The padding that json_string promises; AddressSanitizer looks on.
static void test_bytes_behind_strings(void **state) {
  struct buffer text;
  buffer_init(&text, 1 << 16);
  for (uint32_t count = 0; count < 3000; count = count * 2 + 1) {
    buffer_clear(&text);
    buffer_append_byte(&text, '[');
    for (uint32_t i = 0; i < count; i++) buffer_append_cstr(&text, "\"\",");
    buffer_append_cstr(&text, "\"last\"]");
    buffer_append_byte(&text, 0);
    struct json_value root = parse(state, (const char *)text.ptr), value, last = {0};
    struct json_iter iter = json_iterate(root);
    unsigned sum = 0;
    while (json_array_next(&iter, &value)) last = value;
    for (int round = 0; round < 2; round++) {
      struct slice string = json_string(last);
      assert_true(slice_equal_cstr(string, "last"));
      for (size_t i = 0; i < JSON_STRING_PADDING; i++) sum += string.ptr[string.len + i];
      assert_int_equal(json_replace(last, SLICE_LITERAL("last")), STATUS_OK);
    }
    assert_true(sum <= 2 * JSON_STRING_PADDING * UINT8_MAX);
  }
  buffer_finish(&text);
}

static void test_writer(void **state) {
  struct buffer out;
  struct json_writer writer;
  buffer_init(&out, 4096);
  json_writer_init(&writer, &out);
  json_begin_object(&writer);
  json_key(&writer, "list");
  json_begin_array(&writer);
  json_write_i64(&writer, INT64_MIN);
  json_write_u64(&writer, UINT64_MAX);
  json_write_double(&writer, 0.5);
  json_write_double(&writer, 3);
  json_write_double(&writer, NAN);
  json_write_double(&writer, -INFINITY);
  json_begin_object(&writer);
  json_end_object(&writer);
  json_end_array(&writer);
  json_key_slice(&writer, SLICE_LITERAL("k\"1"));
  json_write_cstr(&writer, NULL);
  json_key(&writer, "bad");
  json_write_string(&writer, SLICE_LITERAL("a\xFF\xE2\x82z"));
  json_key(&writer, "raw");
  json_write_raw(&writer, SLICE_LITERAL("{\"x\":1}"));
  json_key(&writer, "parsed");
  json_write_parsed(&writer, parse(state, "[ true ]"));
  json_key(&writer, "flag");
  json_write_bool(&writer, false);
  json_end_object(&writer);
  assert_slice(buffer_slice(&out),
               "{\"list\":[-9223372036854775808,18446744073709551615,0.5,3,\"NaN\",\"-Infinity\",{}],"
               "\"k\\\"1\":null,\"bad\":\"a\xEF\xBF\xBD\xEF\xBF\xBDz\",\"raw\":{\"x\":1},"
               "\"parsed\":[true],\"flag\":false}");
  buffer_finish(&out);
}

static void test_writer_over_the_ceiling(void **state) {
  (void)state;
  struct buffer out;
  struct json_writer writer;
  buffer_init(&out, 16);
  json_writer_init(&writer, &out);
  json_begin_array(&writer);
  for (int i = 0; i < 100; i++) json_write_u64(&writer, 12345);
  json_end_array(&writer);
  assert_true(out.failed);
  assert_true(out.len <= 16);
  buffer_finish(&out);
}

static void test_replaced_values(void **state) {
  struct json_value root =
      parse(state, "{\"text\":\"long ago\",\"number\":4111111111111111,\"list\":[1,[2,3],{\"a\":null}],\"rest\":true}");
  struct json_iter iter = json_iterate(json_get(root, "list"));
  struct json_value first = {0}, second = {0}, third = {0};
  assert_true(json_array_next(&iter, &first) && json_array_next(&iter, &second));
  assert_int_equal(json_replace(second, SLICE_LITERAL("was a \"list\"")), STATUS_OK);
  assert_true(json_array_next(&iter, &third)); // an iterator goes on behind what was replaced
  assert_int_equal(json_type_of(third), JSON_OBJECT);
  assert_int_equal(json_replace(json_get(third, "a"), (struct slice){0}), STATUS_OK);
  assert_int_equal(json_replace(json_get(root, "number"), SLICE_LITERAL("[Filtered]")), STATUS_OK);
  assert_int_equal(json_replace(json_get(root, "text"), SLICE_LITERAL("once")), STATUS_OK);
  assert_int_equal(json_replace(json_get(root, "text"), SLICE_LITERAL("twice")), STATUS_OK);
  assert_int_equal(json_type_of(second), JSON_STRING);
  assert_true(slice_equal_cstr(json_string(second), "was a \"list\""));
  assert_int_equal(json_count(json_get(root, "list")), 3);
  struct buffer out;
  buffer_init(&out, 4096);
  json_write_value(&out, root);
  assert_true(slice_equal_cstr(buffer_slice(&out), "{\"text\":\"twice\",\"number\":\"[Filtered]\",\"list\":[1,"
                                                   "\"was a \\\"list\\\"\",{\"a\":\"\"}],\"rest\":true}"));
  assert_int_equal(json_replace(root, SLICE_LITERAL("all of it")), STATUS_OK);
  assert_true(slice_equal_cstr(json_string(root), "all of it"));
  root = parse(state, "[\"new\"]"); // the next document knows nothing of it
  iter = json_iterate(root);
  assert_true(json_array_next(&iter, &first));
  assert_true(slice_equal_cstr(json_string(first), "new"));
  buffer_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_replaced_values, setup, teardown),
      cmocka_unit_test_setup_teardown(test_scalars, setup, teardown),
      cmocka_unit_test_setup_teardown(test_iteration, setup, teardown),
      cmocka_unit_test_setup_teardown(test_iteration_of_another_type, setup, teardown),
      cmocka_unit_test_setup_teardown(test_scalar_roots, setup, teardown),
      cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_integers_beyond_64_bits, setup, teardown),
      cmocka_unit_test_setup_teardown(test_lone_surrogates, setup, teardown),
      cmocka_unit_test_setup_teardown(test_error_names_the_place, setup, teardown),
      cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
      cmocka_unit_test_setup_teardown(test_size_limit_and_shrinking, setup, teardown),
      cmocka_unit_test_setup_teardown(test_write_value, setup, teardown),
      cmocka_unit_test_setup_teardown(test_write_double_reads_back, setup, teardown),
      cmocka_unit_test_setup_teardown(test_write_string_of_each_length, setup, teardown),
      cmocka_unit_test(test_plain_keys),
      cmocka_unit_test_setup_teardown(test_write_value_up_to_the_ceiling, setup, teardown),
      cmocka_unit_test_setup_teardown(test_write_string_up_to_the_ceiling, setup, teardown),
      cmocka_unit_test_setup_teardown(test_write_numbers_as_printf, setup, teardown),
      cmocka_unit_test_setup_teardown(test_bytes_behind_strings, setup, teardown),
      cmocka_unit_test_setup_teardown(test_writer, setup, teardown),
      cmocka_unit_test(test_writer_over_the_ceiling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
