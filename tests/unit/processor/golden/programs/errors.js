// SPDX-License-Identifier: Apache-2.0
// Prints the stack of one case (argv[2]): error.stack, or util.inspect(error) for the cases that have causes.
'use strict';
const util = require('node:util');

class PaymentError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'PaymentError';
  }
}

class Cart {
  total(items) {
    return items.reduce((sum, item) => sum + item.price.amount, 0);
  }
  static load() {
    return new Cart().total([{}]);
  }
  get broken() {
    throw new RangeError('getter');
  }
}

async function fetchPrice(name) {
  await null;
  throw new PaymentError(`${name} refused`);
}

const cases = {
  simple() {
    Cart.load();
  },
  multiline() {
    throw new PaymentError('first line\n  second: line\n\n    at nothing here\nlast');
  },
  noMessage() {
    throw new Error();
  },
  anonymous() {
    [1].map(() => {
      (function () {
        undefinedName();
      })();
    });
  },
  getter() {
    return new Cart().broken;
  },
  constructed() {
    new (class Order {
      constructor() {
        JSON.parse('{broken');
      }
    })();
  },
  evaluated() {
    eval('(function inEval() { throw new TypeError("from eval"); })()');
  },
  alias() {
    const shop = { checkout: Cart.load };
    shop.checkout();
  },
  async awaited() {
    await fetchPrice('stock');
  },
  async all() {
    await Promise.all([fetchPrice('stock'), fetchPrice('price')]);
  },
  cause() {
    try {
      Cart.load();
    } catch (error) {
      throw new PaymentError('cannot pay', { cause: new Error('middle', { cause: error }) });
    }
  },
  aggregate() {
    throw new AggregateError([new TypeError('one'), new RangeError('two\nlines')], 'several');
  },
  props() {
    require('node:fs').readFileSync('/nowhere/file');
  },
};

async function main() {
  const name = process.argv[2];
  try {
    await cases[name]();
  } catch (error) {
    const inspected = ['cause', 'aggregate', 'props'].includes(name);
    console.log(inspected ? util.inspect(error, { colors: false }) : error.stack);
  }
}

if (require.main === module) main();
else module.exports = cases;
