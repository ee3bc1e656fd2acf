// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processor/grouping.h"
#include "processor/grouping_function.h"

static void check(const char *platform, const char *function, const char *expected) {
  struct arena arena;
  arena_init(&arena, 1 << 20);
  struct slice got = grouping_trim_function(slice_from_cstr(function), slice_from_cstr(platform), &arena);
  if (!slice_equal_cstr(got, expected)) {
    fail_msg("%s '%s' became '%.*s', expected '%s'", platform, function, SLICE_PRINTF(got), expected);
  }
  arena_finish(&arena);
}

static void untouched(void **state) {
  (void)state;
  static const char *const same[] = {
      "main", "std::terminate", "-[UIView layout:with:]", "+[Foo(Bar) baz]", "<redacted>", "<unknown>",
      "",     "__cxa_throw"};
  for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) check("native", same[i], same[i]);
  check("python", "static void f(int)", "static void f(int)");
  check("node", "Object.<anonymous>", "Object.<anonymous>");
}

static void cpp(void **state) {
  (void)state;
  check("native", "void a::b(int, char const*) const", "a::b");
  check("native", "int& a::b<int, std::vector<c>>::d(e (*)(f))", "a::b<T>::d");
  check("native", "a::(anonymous namespace)::b(c)", "a::(anonymous namespace)::b");
  check("native", "a::`anonymous namespace'::b(c)", "a::`anonymous namespace'::b");
  check("native", "?A0x0123abcd::b(c)", "`anonymous namespace'::b");
  check("native", "bool operator<(a const&, b const&)", "operator<");
  check("native", "bool x::operator>=(a)", "x::operator>=");
  check("native", "x::operator>>(a)", "x::operator>>");
  check("native", "x<y>::operator->*(a)", "x<T>::operator->*");
  check("native", "x<y>::operator<<=(a)", "x<T>::operator<<=");
  check("native", "x<y>::operator[](a) const&", "x<T>::operator[]");
  check("native", "x<y>::operator>=(a)", "x<T>::operator"); // that bracket closes nothing
  check("native", "a) b (c) d", "ac");
  check("native", "x::operator()(a)::{lambda(b)#1}::operator()(c) const", "x::operator()::lambda::operator()");
  check("native", "lambda_0123", "lambda_0123");
  check("native", "f(a) [clone .isra.0] [clone .cold]", "f");
  check("native", "f(a) const [clone .cold] const", "f");
  check("native", "f(a) [b]", "[b]");
  check("native", "unclosed(a", "unclosed");
  check("native", "f\x11(a)", "f\x11(a)"); // not a compiler's name
}

static void rust(void **state) {
  (void)state;
  check("native", "a::b::h0123456789abcdef", "a::b");
  check("native", "a::b::h0123456789abcde", "a::b::h0123456789abcde");
  check("native", "<a::B<C> as d::E>::f::h0123456789abcdef", "a::B<T>::f");
  check("native", "<T as a::B>::c", "a::B::c");
  check("native", "<<a::B as c::D>::E as f::G>::h", "a::B::E::h");
  check("native", "<a::B>::c::{{closure}}", "a::B::c::{{closure}}");
}

static void suffixes(void **state) {
  (void)state;
  check("native", "memcpy@@GLIBC_2.14", "memcpy");
  check("native", "memcpy@GLIBC_2.2.5", "memcpy");
  check("native", "_f@16", "_f");
  check("native", "@f@16", "f");
  check("native", "f@x", "f@x");
}

static void swift(void **state) {
  (void)state;
  check("cocoa", "@objc A.b(C) -> ()", "A.b");
  check("swift", "static A.b(c: D) throws -> E", "A.b");
  check("swift", "A.b(c: D) async -> E", "async"); // as the published hashes have it
  check("cocoa", "closure #1 () -> () in closure #2 () -> () in A.b(c: D) -> ()", "closure in A.b");
  check("cocoa", "partial apply for closure #1 () -> () in A.b() -> C", "closure in A.b");
  check("cocoa", "variable initialization expression of static A.b : C", "initializer expression of A.b");
  check("cocoa", "thunk for @escaping () -> ()", "thunk for closure");
  check("cocoa", "@escaping @callee_guaranteed (A) -> (B)", "closure");
  check("native", "thunk for @escaping @callee_guaranteed () -> ()", "@callee_guaranteed"); // no Swift
  check("native", "closure #1 in A.b()", "closure in A.b");
  check("native", "closure #1 () -> () in A.b()", "closure in #1"); // the last arrow decides
  check("native", "a -> <b>", "-> <T>");
  check("cocoa", "thunk for closure", "closure"); // trimmed a second time, as the published hashes have it
}

static void csharp(void **state) {
  (void)state;
  check("csharp", "A.B.C[T] (D e, F g)", "A.B.C[T]");
  check("csharp", "A.B.C", "A.B.C");
  check("csharp", "A.B.C(D e)", "A.B.C(D e)");
}

static void tokens(void **state) {
  (void)state;
  static const char *const expected[] = {"a(b c)d", "{e f}", "<g h>", "i"};
  struct slice got[8];
  uint32_t count = grouping_function_split(SLICE_LITERAL(" a(b c)d  {e f} <g h> i "), got, 8);
  assert_int_equal(count, 4);
  for (size_t i = 0; i < 4; i++) assert_true(slice_equal_cstr(got[i], expected[i]));
  assert_int_equal(grouping_function_split(SLICE_LITERAL("a b c"), got, 2), 3); // counted, not written
  assert_int_equal(grouping_function_split(SLICE_LITERAL(""), got, 8), 0);
}

// Names nobody writes: longer than any buffer, nested deeper than any stack.
static void extremes(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 1 << 20);
  static const char openers[] = "<([{";
  for (size_t i = 0; i < 4; i++) {
    char name[4096];
    memset(name, openers[i], sizeof(name));
    struct slice got = grouping_trim_function(slice_make(name, sizeof(name)), SLICE_LITERAL("native"), &arena);
    assert_true(got.len <= sizeof(name));
  }
  char *huge = malloc(1 << 20);
  memset(huge, '<', 1 << 20);
  assert_int_equal(grouping_trim_function(slice_make(huge, 1 << 20), SLICE_LITERAL("native"), &arena).len, 1 << 20);
  free(huge);
  arena_finish(&arena);
}

static void families(void **state) {
  (void)state;
  assert_int_equal(grouping_family_of(SLICE_LITERAL("cocoa")), GROUPING_FAMILY_NATIVE);
  assert_int_equal(grouping_family_of(SLICE_LITERAL("node")), GROUPING_FAMILY_JAVASCRIPT);
  assert_int_equal(grouping_family_of(SLICE_LITERAL("")), GROUPING_FAMILY_OTHER);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(untouched), cmocka_unit_test(cpp),      cmocka_unit_test(rust),
      cmocka_unit_test(suffixes),  cmocka_unit_test(swift),    cmocka_unit_test(csharp),
      cmocka_unit_test(tokens),    cmocka_unit_test(extremes), cmocka_unit_test(families),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
