# SPDX-License-Identifier: Apache-2.0
"""usage: same_error.py sentry|otel ITEM   A program that fails, reported by the one SDK or by the other."""
import sys

from orders import cart


class WithSentry:
    def __enter__(self):
        import sentry_sdk

        sentry_sdk.init()
        return sentry_sdk

    def __exit__(self, *raised):
        import sentry_sdk

        sentry_sdk.capture_exception(raised)
        sentry_sdk.flush()
        return True


class WithOtel:
    def __enter__(self):
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor

        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
        self.span = provider.get_tracer("same_error").start_as_current_span("checkout")
        return self.span.__enter__()

    def __exit__(self, *raised):
        try:
            self.span.__exit__(*raised)
        except cart.UnknownItem:  # the span passes on what it recorded
            pass
        return True


def checkout(item):
    return cart.total(["tea", item])


def main(sdk, item):
    with {"sentry": WithSentry, "otel": WithOtel}[sdk]():
        checkout(item)


if __name__ == "__main__":
    main(*sys.argv[1:])
