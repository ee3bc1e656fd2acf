// SPDX-License-Identifier: Apache-2.0
package shop;

import io.opentelemetry.api.trace.Span;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.sentry.Sentry;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** arguments: sentry|otel ITEM. A program that fails, reported by the one SDK or by the other. */
public final class SameError {
  private static Consumer<Throwable> withSentry() {
    Sentry.init(options -> options.setEnableExternalConfiguration(true));
    return error -> {
      Sentry.captureException(error);
      Sentry.flush(10_000);
      Sentry.close();
    };
  }

  private static Consumer<Throwable> withOtel() {
    OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();
    Span span = sdk.getTracer("same-error").spanBuilder("checkout").startSpan();
    return error -> {
      span.recordException(error);
      span.end();
      sdk.getSdkTracerProvider().shutdown().join(10, TimeUnit.SECONDS);
      sdk.close();
    };
  }

  public static void main(String[] arguments) {
    Consumer<Throwable> report = arguments[0].equals("sentry") ? withSentry() : withOtel();
    try {
      Cart.total(List.of("tea", arguments[1]));
    } catch (RuntimeException error) {
      report.accept(error);
    }
  }
}
