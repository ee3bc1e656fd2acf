// SPDX-License-Identifier: Apache-2.0
//
// Scrubbing of whole events: where in the schema what is judged, and what is noted of it.
#include "processor/scrub.h"
#include "tests/unit/processor/scrubbed_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
  struct scrub *scrub;
  struct json_parser *parser, *inner;
  struct buffer out;
};

static int start(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  fixture->scrub = scrub_create(&(struct scrub_options){.enabled = true, .defaults = true});
  fixture->parser = json_parser_create(1 << 20);
  fixture->inner = json_parser_create(1 << 20);
  buffer_init(&fixture->out, 1 << 22);
  *state = fixture;
  return 0;
}

static int stop(void **state) {
  struct fixture *fixture = *state;
  scrub_destroy(fixture->scrub);
  json_parser_destroy(fixture->parser);
  json_parser_destroy(fixture->inner);
  buffer_finish(&fixture->out);
  free(fixture);
  return 0;
}

// Written with ' for ".
static struct slice quoted(const char *text, char *to, size_t to_bytes) {
  size_t len = strlen(text);
  assert_true(len < to_bytes);
  for (size_t i = 0; i < len; i++) to[i] = text[i] == '\'' ? '"' : text[i];
  return slice_make(to, len);
}

static bool scrubbed(struct fixture *fixture, struct slice text) {
  struct json_value root;
  struct buffer meta;
  bool changed;
  buffer_init(&meta, 1 << 20);
  buffer_clear(&fixture->out);
  assert_int_equal(json_parse(fixture->parser, text, &root, NULL), STATUS_OK);
  assert_int_equal(scrub_event(fixture->scrub, root, fixture->inner, &meta, &changed), STATUS_OK);
  assert_int_equal(changed, meta.len > 0);
  if (changed) scrubbed_document_write(root, buffer_slice(&meta), &fixture->out);
  buffer_finish(&meta);
  return changed;
}

// What `event` becomes; NULL: it stays. A second time changes nothing.
static void check(struct fixture *fixture, const char *event, const char *expected) {
  char from[8192], to[8192];
  struct slice text = quoted(event, from, sizeof(from));
  if (!scrubbed(fixture, text)) {
    if (expected) fail_msg("%s\nwas left", event);
    return;
  }
  if (!expected) fail_msg("%s\nbecame %.*s", event, SLICE_PRINTF(buffer_slice(&fixture->out)));
  struct slice wanted = quoted(expected, to, sizeof(to));
  if (!slice_equal(buffer_slice(&fixture->out), wanted)) {
    fail_msg("%s\nbecame %.*s\nnot    %.*s", event, SLICE_PRINTF(buffer_slice(&fixture->out)), SLICE_PRINTF(wanted));
  }
  size_t len;
  uint8_t *once = buffer_release(&fixture->out, &len);
  if (scrubbed(fixture, slice_make(once, len))) {
    fail_msg("%s\nthen became %.*s", event, SLICE_PRINTF(buffer_slice(&fixture->out)));
  }
  free(once);
}

#define REM "{'':{'rem':[['@password','x']]}}"

static void test_free_parts(void **state) {
  check(*state, "{'extra':{'password':'x','n':1}}",
        "{'extra':{'password':'[Filtered]','n':1},'_meta':{'extra':{'password':" REM "}}}");
  check(*state, "{'tags':[['api_key','x'],['a','b']]}",
        "{'tags':[['api_key','[Filtered]'],['a','b']],'_meta':{'tags':{'0':{'1':" REM "}}}}");
  check(*state, "{'tags':[{'key':'token','value':'x'}]}",
        "{'tags':[{'key':'token','value':'[Filtered]'}],'_meta':{'tags':{'0':{'value':" REM "}}}}");
  check(*state, "{'contexts':{'app':{'auth':{'deep':[1]}}}}",
        "{'contexts':{'app':{'auth':'[Filtered]'}},'_meta':{'contexts':{'app':{'auth':" REM "}}}}");
  check(*state, "{'my_secret':7}", "{'my_secret':'[Filtered]','_meta':{'my_secret':" REM "}}");
  check(*state, "{'extra':{'a':'card 4111111111111111','b':4111111111111111}}",
        "{'extra':{'a':'card [creditcard]','b':'[Filtered]'},'_meta':{'extra':{'b':{'':{'rem':[['@creditcard','x']]}},"
        "'a':{'':{'rem':[['@creditcard','s']]}}}}}");
  // neither booleans nor nothing, nor counts of a language model
  check(*state, "{'extra':{'password':'','secret':null,'auth':true,'token':{},'max_tokens':17}}", NULL);
}

static void test_stack_traces(void **state) {
  check(*state,
        "{'exception':{'values':[{'type':'AuthError','value':'password is 4111111111111111','stacktrace':{'frames':["
        "{'filename':'/home/jane/auth.py','abs_path':'/home/jane/secret/auth.py','function':'check_password',"
        "'context_line':'password = 1','vars':{'password':'x','user':'jane'}}]}}]}}",
        "{'exception':{'values':[{'type':'AuthError','value':'password is 4111111111111111','stacktrace':{'frames':["
        "{'filename':'/home/jane/auth.py','abs_path':'/home/jane/secret/auth.py','function':'check_password',"
        "'context_line':'password = 1','vars':{'password':'[Filtered]','user':'jane'}}]}}]},'_meta':{'exception':{"
        "'values':{'0':{'stacktrace':{'frames':{'0':{'vars':{'password':" REM "}}}}}}}}}");
  check(*state, "{'exception':[{'mechanism':{'type':'auth','data':{'token':'x'}}}]}",
        "{'exception':[{'mechanism':{'type':'auth','data':{'token':'[Filtered]'}}}],'_meta':{'exception':{'0':{"
        "'mechanism':{'data':{'token':" REM "}}}}}}");
  check(*state, "{'threads':{'values':[{'stacktrace':{'frames':[{'vars':{'apiKey':'x'}}]}}]}}",
        "{'threads':{'values':[{'stacktrace':{'frames':[{'vars':{'apiKey':'[Filtered]'}}]}}]},'_meta':{'threads':{"
        "'values':{'0':{'stacktrace':{'frames':{'0':{'vars':{'apiKey':" REM "}}}}}}}}}");
  check(*state, "{'debug_meta':{'images':[{'secret':'x'}]},'sdk':{'name':'auth'},'fingerprint':['password=1']}", NULL);
}

static void test_requests(void **state) {
  check(*state,
        "{'request':{'url':'https://h/?token=1','method':'POST','query_string':'a=1&password=2','headers':["
        "['Authorization','Basic x'],['Cookie','a=b'],['User-Agent','password 4111111111111111'],['Accept','*']],"
        "'cookies':{'sessionid':'s','theme':'dark'},'env':{'DB_PASSWORD':'x'}}}",
        "{'request':{'url':'https://h/?token=[Filtered]','method':'POST','query_string':'a=1&password=[Filtered]',"
        "'headers':[['Authorization','[Filtered]'],['Cookie','[Filtered]'],['User-Agent','password 4111111111111111'],"
        "['Accept','*']],'cookies':{'sessionid':'[Filtered]','theme':'dark'},'env':{'DB_PASSWORD':'[Filtered]'}},"
        "'_meta':{'request':{'env':{'DB_PASSWORD':" REM "},'cookies':{'sessionid':" REM "},'headers':{'1':{'1':" REM
        "},'0':{'1':" REM
        "}},'query_string':{'':{'rem':[['@password','s']]}},'url':{'':{'rem':[['@password','s']]}}}}}");
  check(*state, "{'request':{'data':'a=1&password=2','cookies':'x=1; csrftoken=2','query_string':[['otp','1']]}}",
        "{'request':{'data':'a=1&password=[Filtered]','cookies':'x=1; csrftoken=[Filtered]','query_string':[['otp',"
        "'[Filtered]']]},'_meta':{'request':{'query_string':{'0':{'1':" REM "}},'cookies':{'':{'rem':[['@password','s']"
        "]}},'data':{'':{'rem':[['@password','s']]}}}}}");
  check(*state, "{'request':{'data':{'a':[{'secret':1}]},'headers':{'X-Token':['a','b']}}}",
        "{'request':{'data':{'a':[{'secret':'[Filtered]'}]},'headers':{'X-Token':'[Filtered]'}},'_meta':{'request':{"
        "'headers':{'X-Token':" REM "},'data':{'a':{'0':{'secret':" REM "}}}}}}");
}

static void test_json_body(void **state) {
  struct fixture *fixture = *state;
  struct slice text = SLICE_LITERAL("{\"request\":{\"data\":\"{\\\"a\\\":{\\\"secret\\\":1},\\\"b\\\":2.5}\"}}");
  assert_true(scrubbed(fixture, text));
  struct slice expected =
      SLICE_LITERAL("{\"request\":{\"data\":\"{\\\"a\\\":{\\\"secret\\\":\\\"[Filtered]\\\"},\\\"b\\\":2.5}\"},"
                    "\"_meta\":{\"request\":{\"data\":{\"\":{\"rem\":[[\"@password\",\"s\"]]}}}}}");
  if (!slice_equal(buffer_slice(&fixture->out), expected)) {
    fail_msg("%.*s", SLICE_PRINTF(buffer_slice(&fixture->out)));
  }
}

static void test_messages_and_users(void **state) {
  check(*state, "{'logentry':{'message':'password of a@b.org','params':['secret x']}}",
        "{'logentry':{'message':'password of [email]','params':['[Filtered]']},'_meta':{'logentry':{'params':{'0':" REM
        "},'message':{'':{'rem':[['@email','s']]}}}}}");
  check(*state, "{'breadcrumbs':[{'message':'GET a@b.org','category':'auth','data':{'url':'/x?token=1'}}]}",
        "{'breadcrumbs':[{'message':'GET [email]','category':'auth','data':{'url':'/x?token=[Filtered]'}}],'_meta':{"
        "'breadcrumbs':{'0':{'data':{'url':{'':{'rem':[['@password','s']]}}},'message':{'':{'rem':[['@email','s']]}}}}"
        "}}");
  check(*state, "{'user':{'id':'7','email':'a@b.org','username':'jane','ip_address':'10.0.0.1'}}", NULL);
  check(*state, "{'user':{'email':'a@b.org','password':'x'}}",
        "{'user':{'email':'a@b.org','password':'[Filtered]'},'_meta':{'user':{'password':" REM "}}}");
  check(*state, "{'contexts':{'trace':{'op':'auth token=','trace_id':'4bf92f3577b34da6a3ce929d0e0e4736'}}}", NULL);
}

// What the SDK had noted stays, in the same tree.
static void test_marks_are_merged(void **state) {
  check(*state,
        "{'_meta':{'extra':{'':{'len':3},'password':{'':{'len':99,'rem':[['!limit','s']]}},'z':{'':{'len':2}}},"
        "'release':{'':{'err':['x']}}},'extra':{'password':'x'}}",
        "{'extra':{'password':'[Filtered]'},'_meta':{'release':{'':{'err':['x']}},'extra':{'':{'len':3},'z':{'':{'len':"
        "2}},'password':{'':{'len':99,'rem':[['!limit','s'],['@password','x']]}}}}}");
}

// A member that is written like an element's number is that element's, others are not.
static void test_marks_of_elements_are_merged(void **state) {
  check(*state,
        "{'tags':[['password','x']],'_meta':{'tags':{'00':{'':{'len':1}},'0':{'1':{'':{'len':2}},'+1':7},'':{'len':3},"
        "'x':{}}}}",
        "{'tags':[['password','[Filtered]']],'_meta':{'tags':{'':{'len':3},'00':{'':{'len':1}},'x':{},'0':{'+1':7,'1':{"
        "'':{'len':2,'rem':[['@password','x']]}}}}}}");
}

static void add_members(struct buffer *out, const char *before, int count, const char *value) {
  char member[32];
  for (int i = 0; i < count; i++) {
    snprintf(member, sizeof(member), "%s\"%s%d\":%s", i ? "," : "", before, i, value);
    buffer_append_cstr(out, member);
  }
}

// Who sends very many of both, marks to make and marks made before, gets the former only.
static void test_merging_is_bounded(void **state) {
  struct fixture *fixture = *state;
  struct buffer many;
  struct json_value root;
  json_parser_destroy(fixture->parser);
  fixture->parser = json_parser_create(4 << 20);
  for (int round = 0; round < 2; round++) {
    buffer_init(&many, 4 << 20);
    buffer_append_cstr(&many, "{\"extra\":{");
    add_members(&many, "secret", 2000, "1");
    buffer_append_cstr(&many, "},\"_meta\":{\"release\":{},\"extra\":{");
    add_members(&many, "m", round == 0 ? 100000 : 100, "{}");
    buffer_append_cstr(&many, "}}}");
    assert_true(scrubbed(fixture, buffer_slice(&many)));
    assert_int_equal(json_parse(fixture->parser, buffer_slice(&fixture->out), &root, NULL), STATUS_OK);
    struct json_value meta = json_get(root, "_meta"), extra = json_get(meta, "extra");
    assert_true(json_is_present(json_get(meta, "release")));
    assert_true(json_is_present(json_get(extra, "secret0")));
    assert_true(json_is_present(json_get(extra, "m0")) == (round == 1));
    assert_int_equal(json_count(extra), round == 0 ? 2000 : 2100);
    buffer_finish(&many);
  }
}

// Of what was said of one value, a part is taken over, wherever "rem" stands in it.
static void test_remarks_are_bounded(void **state) {
  struct fixture *fixture = *state;
  struct buffer many;
  struct json_value root;
  buffer_init(&many, 1 << 20);
  buffer_append_cstr(&many,
                     "{\"extra\":{\"password\":\"x\"},\"_meta\":{\"extra\":{\"password\":{\"\":{\"len\":1,\"rem\":[");
  for (int i = 0; i < 10000; i++) buffer_append_cstr(&many, i ? ",[\"a\",\"s\"]" : "[\"a\",\"s\"]");
  buffer_append_cstr(&many, "],");
  add_members(&many, "m", 10000, "1");
  buffer_append_cstr(&many, "}}}}}");
  assert_true(scrubbed(fixture, buffer_slice(&many)));
  assert_int_equal(json_parse(fixture->parser, buffer_slice(&fixture->out), &root, NULL), STATUS_OK);
  struct json_value own = json_get(json_get(json_get(json_get(root, "_meta"), "extra"), "password"), "");
  assert_int_equal(json_u64(json_get(own, "len")), 1);
  assert_in_range(json_count(own), 3, 100);
  assert_in_range(json_count(json_get(own, "rem")), 2, 100);
  struct json_iter iter = json_iterate(json_get(own, "rem"));
  struct json_value entry, last = {0};
  while (json_array_next(&iter, &entry)) last = entry;
  iter = json_iterate(last);
  assert_true(json_array_next(&iter, &entry) && slice_equal_cstr(json_string(entry), "@password"));
  buffer_finish(&many);
}

static void test_ip_addresses(void **state) {
  struct fixture *fixture = *state;
  scrub_destroy(fixture->scrub);
  fixture->scrub = scrub_create(&(struct scrub_options){.enabled = true, .ip_addresses = true});
  check(fixture,
        "{'user':{'ip_address':'10.0.0.1'},'sdk':{'client_ip':'::1','name':'a'},'request':{'env':{'REMOTE_ADDR':'h'}},"
        "'extra':{'password':'from 10.0.0.1'}}",
        "{'user':{'ip_address':'[Filtered]'},'sdk':{'client_ip':'[Filtered]','name':'a'},'request':{'env':{"
        "'REMOTE_ADDR':'[Filtered]'}},'extra':{'password':'from [ip]'},'_meta':{'extra':{'password':{'':{'rem':[['@ip',"
        "'s']]}}},'request':{'env':{'REMOTE_ADDR':" REM "}},'sdk':{'client_ip':" REM "},'user':{'ip_address':" REM
        "}}}");
}

// Anything that is JSON is an event; more changes than there are marks for; an output that is too small.
static void test_odd_events(void **state) {
  struct fixture *fixture = *state;
  check(fixture, "[{'password':'x'}]", NULL);
  check(fixture, "'password=x'", NULL);
  check(fixture, "{'request':[[['a']],7],'exception':{'values':'x','stacktrace':[1,[2]]},'user':7,'_meta':3}", NULL);
  struct buffer many;
  buffer_init(&many, 1 << 20);
  buffer_append_cstr(&many, "{\"_meta\":7,\"extra\":[");
  for (int i = 0; i < 5000; i++) buffer_append_cstr(&many, i ? ",{\"secret\":1}" : "{\"secret\":1}");
  buffer_append_cstr(&many, "]}");
  assert_true(scrubbed(fixture, buffer_slice(&many)));
  struct json_value root;
  assert_int_equal(json_parse(fixture->parser, buffer_slice(&fixture->out), &root, NULL), STATUS_OK);
  assert_int_equal(json_count(json_get(root, "extra")), 5000);
  assert_in_range(json_count(json_get(json_get(root, "_meta"), "extra")), 500, 5000);
  struct json_iter iter = json_iterate(json_get(root, "extra"));
  struct json_value entry;
  while (json_array_next(&iter, &entry)) {
    assert_true(slice_equal_cstr(json_string(json_get(entry, "secret")), "[Filtered]"));
  }
  struct buffer small;
  bool changed = true;
  buffer_init(&small, 100);
  buffer_append_cstr(&small, "kept");
  assert_int_equal(json_parse(fixture->parser, buffer_slice(&many), &root, NULL), STATUS_OK);
  assert_int_equal(scrub_event(fixture->scrub, root, fixture->inner, &small, &changed), STATUS_TOO_LARGE);
  assert_false(changed);
  assert_true(slice_equal_cstr(buffer_slice(&small), "kept"));
  buffer_finish(&small);
  buffer_finish(&many);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_free_parts, start, stop),
      cmocka_unit_test_setup_teardown(test_stack_traces, start, stop),
      cmocka_unit_test_setup_teardown(test_requests, start, stop),
      cmocka_unit_test_setup_teardown(test_json_body, start, stop),
      cmocka_unit_test_setup_teardown(test_messages_and_users, start, stop),
      cmocka_unit_test_setup_teardown(test_marks_are_merged, start, stop),
      cmocka_unit_test_setup_teardown(test_marks_of_elements_are_merged, start, stop),
      cmocka_unit_test_setup_teardown(test_merging_is_bounded, start, stop),
      cmocka_unit_test_setup_teardown(test_remarks_are_bounded, start, stop),
      cmocka_unit_test_setup_teardown(test_ip_addresses, start, stop),
      cmocka_unit_test_setup_teardown(test_odd_events, start, stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
