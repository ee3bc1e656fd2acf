// SPDX-License-Identifier: Apache-2.0
// A cart that cannot be priced.
class UnknownItem extends Error {
  constructor(item) {
    super(`nothing is known of ${item}`);
    this.name = "UnknownItem";
  }
}

const prices = { tea: 3 };

function priceOf(item) {
  if (!(item in prices)) throw new UnknownItem(item);
  return prices[item];
}

exports.total = (items) => items.map((item) => priceOf(item)).reduce((sum, price) => sum + price, 0);
