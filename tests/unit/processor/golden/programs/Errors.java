// SPDX-License-Identifier: Apache-2.0
// Prints the stack trace of one case (args[0]) with printStackTrace.
package com.example.shop;

import java.util.List;
import java.util.concurrent.CompletableFuture;

public class Errors {
  static class PaymentException extends RuntimeException {
    PaymentException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  static class Connection implements AutoCloseable {
    @Override
    public void close() {
      throw new IllegalStateException("close failed", new java.io.IOException("socket"));
    }
  }

  static int price(Integer sku) {
    return sku.intValue();
  }

  static void simple() {
    price(null);
  }

  static void multiline() {
    throw new PaymentException("first line\n  at the second: line\n\nCaused by nothing\nlast", null);
  }

  static void cause() {
    try {
      try {
        price(null);
      } catch (NullPointerException error) {
        throw new IllegalArgumentException("no price", error);
      }
    } catch (IllegalArgumentException error) {
      throw new PaymentException("cannot pay", error);
    }
  }

  static void suppressed() {
    try (Connection connection = new Connection()) {
      throw new PaymentException("query failed", null);
    }
  }

  static void lambda() {
    List.of("a", "b").forEach(name -> {
      throw new UnsupportedOperationException();
    });
  }

  static void future() {
    CompletableFuture.supplyAsync(() -> price(null)).join();
  }

  static int deep(int depth) {
    if (depth == 0) throw new StackOverflowError("deep");
    return deep(depth - 1) + 1;
  }

  static void recursion() {
    deep(30);
  }

  static void circular() {
    Exception first = new Exception("first");
    Exception second = new Exception("second", first);
    first.initCause(second);
    throw new RuntimeException("round", first);
  }

  static void reflection() throws Exception {
    Errors.class.getDeclaredMethod("simple").invoke(null);
  }

  public static void run(String name) throws Throwable {
    try {
      Errors.class.getDeclaredMethod(name).invoke(null);
    } catch (java.lang.reflect.InvocationTargetException error) {
      throw error.getCause();
    }
  }

  public static void main(String[] arguments) {
    try {
      run(arguments[0]);
    } catch (Throwable error) {
      error.printStackTrace(System.out);
    }
  }
}
