// SPDX-License-Identifier: Apache-2.0
package shop;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A cart that cannot be priced. */
final class Cart {
  static final class UnknownItem extends RuntimeException {
    UnknownItem(String item, Throwable cause) {
      super("nothing is known of " + item, cause);
    }
  }

  private static final Map<String, Integer> PRICES = Map.of("tea", 3);

  static int priceOf(String item) {
    try {
      return Optional.ofNullable(PRICES.get(item)).orElseThrow();
    } catch (RuntimeException cause) {
      throw new UnknownItem(item, cause);
    }
  }

  static int total(List<String> items) {
    return items.stream().mapToInt(item -> priceOf(item)).sum();
  }
}
