// SPDX-License-Identifier: Apache-2.0
// Crashes as argv[1] says; "backtrace" prints glibc's backtrace_symbols.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <execinfo.h>
#include <functional>
#include <vector>

namespace shop {
template <typename T> struct Cart {
  std::vector<T> items;
  __attribute__((noinline)) T item(size_t i) { return items.data()[i]; }
};
__attribute__((noinline)) int each(const std::function<int(int)> &f) { return f(3) + 1; }
} // namespace shop

__attribute__((noinline)) static void print_backtrace() {
  void *frames[16];
  int count = backtrace(frames, 16);
  char **symbols = backtrace_symbols(frames, count);
  for (int i = 0; i < count; i++) puts(symbols[i]);
  free(symbols);
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  if (strcmp(name, "overflow") == 0) {
    shop::Cart<int> cart;
    cart.items = {1, 2};
    return shop::each([&](int i) { return cart.item((size_t)i); });
  }
  if (strcmp(name, "use_after_free") == 0) {
    char *text = (char *)malloc(8);
    free(text);
    return text[2];
  }
  if (strcmp(name, "abort") == 0) {
    return shop::each([](int) -> int { abort(); });
  }
  if (strcmp(name, "backtrace") == 0) print_backtrace();
  return 0;
}
